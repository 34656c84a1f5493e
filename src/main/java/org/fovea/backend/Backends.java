package org.fovea.backend;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;

/** Finds and opens backends. */
public final class Backends {

    /** Name that stands for the best available backend. */
    public static final String AUTO = "auto";

    private Backends() {}

    /** A backend that was opened, and why better ones were passed over: one line each, empty for the first choice. */
    public record Choice(Backend backend, List<String> reasons) {}

    /** Names of all backends, available or not, in order of preference. */
    public static List<String> names() {
        return providers().stream().map(BackendProvider::name).toList();
    }

    /**
     * Opens a backend.
     *
     * @param name of {@link #names}, or {@link #AUTO}
     * @param threads worker threads on the host, 0 for one per core
     * @throws IllegalArgumentException if there is no backend of that name
     * @throws IllegalStateException if it is not available here; the message says why
     */
    public static Choice open(String name, int threads) {
        List<String> reasons = new ArrayList<>();
        for (BackendProvider provider : providers()) {
            if (!name.equals(AUTO) && !name.equals(provider.name())) {
                continue;
            }
            Optional<String> reason = provider.unavailableBecause();
            if (reason.isEmpty()) {
                return new Choice(provider.open(threads), List.copyOf(reasons));
            }
            reasons.add(provider.name() + ": " + reason.get());
        }
        if (reasons.isEmpty()) {
            throw new IllegalArgumentException(
                    "unknown backend '" + name + "'; there are " + AUTO + ", " + String.join(", ", names()));
        }
        throw new IllegalStateException("backend not available. " + String.join("; ", reasons));
    }

    private static List<BackendProvider> providers() {
        return ServiceLoader.load(BackendProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparingInt(BackendProvider::priority).reversed())
                .toList();
    }
}
