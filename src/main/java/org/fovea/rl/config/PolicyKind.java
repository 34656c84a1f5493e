package org.fovea.rl.config;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.fovea.env.UnknownNameException;

/** The kinds of network a policy can be. */
public enum PolicyKind {
    /** A transformer over the last steps of the episode. */
    ATTENTION,
    /** A multi-layer perceptron that sees the current observation only. */
    MLP;

    /**
     * The kind of that name.
     *
     * @throws IllegalArgumentException naming the valid ones
     */
    public static PolicyKind of(String name) {
        return Arrays.stream(values())
                .filter(kind -> kind.toString().equals(name))
                .findFirst()
                .orElseThrow(() -> new UnknownNameException("policy", name, names()));
    }

    /** All names. */
    public static List<String> names() {
        return Arrays.stream(values()).map(PolicyKind::toString).toList();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
