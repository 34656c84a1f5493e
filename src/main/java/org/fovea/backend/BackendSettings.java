package org.fovea.backend;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How a backend is opened. What does not concern a backend it ignores.
 *
 * @param threads worker threads on the host, 0 for one per core; changes speed, never results
 * @param device which of several devices, from 0
 * @param cublas whether matrix products go to NVIDIA's library
 * @param precision of matrix products
 */
public record BackendSettings(int threads, int device, Cublas cublas, Precision precision) {

    /** Device 0, a thread per core, cuBLAS where it is there, float32. */
    public static final BackendSettings DEFAULT = new BackendSettings(0, 0, Cublas.AUTO, Precision.FLOAT32);

    /** Who multiplies matrices on a CUDA device. */
    public enum Cublas {
        /** The library where it is installed, for large products; Fovea's own kernel for the rest. */
        AUTO,
        /** The library always; without it the backend does not open. */
        ON,
        /** Fovea's own kernel always. */
        OFF
    }

    /** How exact the products inside matrix products and attention are; sums are float32 in any case. */
    public enum Precision {
        /** All 24 bits of float32. */
        FLOAT32,
        /** Factors rounded to the 11 bits of TF32, on devices that have units for it: faster. */
        TF32
    }

    /** Checks the ranges. */
    public BackendSettings {
        if (threads < 0) {
            throw new IllegalArgumentException("threads must be 0 (one per core) or more, got " + threads);
        }
        if (device < 0) {
            throw new IllegalArgumentException("device must be 0 or more, got " + device);
        }
    }

    /** Names of the settings that are written as text, see {@link #with}. */
    public static List<String> names() {
        return List.copyOf(DEFAULT.asMap().keySet());
    }

    /** The settings that are written as text, by name, in order. */
    public Map<String, String> asMap() {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("cublas", lowerCase(cublas));
        values.put("precision", lowerCase(precision));
        return values;
    }

    /**
     * This with some of the settings of {@link #names} replaced.
     *
     * @throws IllegalArgumentException for an unknown name or value
     */
    public BackendSettings with(Map<String, String> settings) {
        BackendSettings changed = this;
        for (Map.Entry<String, String> setting : settings.entrySet()) {
            String name = setting.getKey();
            String value = setting.getValue();
            changed = switch (name) {
                case "cublas" ->
                    new BackendSettings(
                            changed.threads, changed.device, parse(name, value, Cublas.values()), changed.precision);
                case "precision" ->
                    new BackendSettings(
                            changed.threads, changed.device, changed.cublas, parse(name, value, Precision.values()));
                default -> throw new IllegalArgumentException("unknown setting '" + name + "'; there are " + names());
            };
        }
        return changed;
    }

    /** This with another number of threads. */
    public BackendSettings withThreads(int newThreads) {
        return new BackendSettings(newThreads, device, cublas, precision);
    }

    /** This on another device. */
    public BackendSettings withDevice(int newDevice) {
        return new BackendSettings(threads, newDevice, cublas, precision);
    }

    private static <E extends Enum<E>> E parse(String name, String text, E[] values) {
        StringBuilder expected = new StringBuilder();
        for (E value : values) {
            if (lowerCase(value).equals(text.toLowerCase(Locale.ROOT))) {
                return value;
            }
            expected.append(expected.isEmpty() ? "" : ", ").append(lowerCase(value));
        }
        throw new IllegalArgumentException(name + " must be one of " + expected + ", got '" + text + "'");
    }

    private static String lowerCase(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
