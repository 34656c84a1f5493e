// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
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

    /** {@link #open(String, BackendSettings)} with so many threads, 0 for one per core, and else the defaults. */
    public static Choice open(String name, int threads) {
        return open(name, BackendSettings.DEFAULT.withThreads(threads));
    }

    /**
     * Opens a backend.
     *
     * @param name of {@link #names}, or {@link #AUTO}
     * @throws IllegalArgumentException if there is no backend of that name
     * @throws BackendUnavailableException if it is unavailable here; the message says why
     */
    public static Choice open(String name, BackendSettings settings) {
        List<String> reasons = new ArrayList<>();
        BackendUnavailableException last = null;
        for (BackendProvider provider : providers()) {
            if (!name.equals(AUTO) && !name.equals(provider.name())) {
                continue;
            }
            try {
                return new Choice(provider.open(settings), List.copyOf(reasons));
            } catch (BackendUnavailableException e) {
                reasons.add(provider.name() + " is not available: " + e.getMessage());
                last = e;
            }
        }
        if (last == null) {
            throw new IllegalArgumentException(
                    "unknown backend '" + name + "'; there are " + AUTO + ", " + String.join(", ", names()));
        }
        throw new BackendUnavailableException(String.join("; ", reasons), last);
    }

    /** What this machine has of all that the backends need, see {@link BackendProvider#examine}. */
    public static List<Diagnostic> examine() {
        return providers().stream()
                .flatMap(provider -> provider.examine().stream())
                .toList();
    }

    private static List<BackendProvider> providers() {
        return ServiceLoader.load(BackendProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparingInt(BackendProvider::priority).reversed())
                .toList();
    }
}
