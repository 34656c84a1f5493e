// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The settings with which a backend is opened. What does not concern a backend it ignores.
 *
 * @param threads worker threads on the host, 0 for one per core; changes speed, never results
 * @param device which of several devices, from 0
 * @param cublas whether matrix products go to NVIDIA's library
 * @param precision of matrix products
 * @param graph how a captured step is replayed
 */
public record BackendSettings(int threads, int device, Cublas cublas, Precision precision, Graph graph) {

    /** Device 0, a thread per core, cuBLAS where it is there, float32, steps as graphs. */
    public static final BackendSettings DEFAULT = new BackendSettings(0, 0, Cublas.AUTO, Precision.FLOAT32, Graph.ON);

    /** The choice of who multiplies matrices on a CUDA device. */
    public enum Cublas {
        /** The library where it is installed, for large products; Fovea's own kernel for the rest. */
        AUTO,
        /** The library always; without it the backend does not open. */
        ON,
        /** Fovea's own kernel always. */
        OFF
    }

    /** The accuracy of the products inside matrix products and attention; sums are float32 in any case. */
    public enum Precision {
        /** All 24 bits of float32. */
        FLOAT32,
        /** Factors rounded to the 11 bits of TF32, on devices that have units for it: faster. */
        TF32,
        /** Factors rounded to the 8 bits of bf16, on devices that have units for it: faster still. What is kept is float32. */
        BF16
    }

    /** The way a captured step runs; the results are the same bits. */
    public enum Graph {
        /** A graph: a replay is one launch; on the CPU, of steps that are to be recorded, kernels alone. */
        ON,
        /** A replay issues its operations one by one, to see them apart in a profiler or to time what a graph gains. */
        OFF
    }

    /** Checks the ranges. */
    public BackendSettings {
        if (threads < 0) {
            throw new IllegalArgumentException("threads must be 0 (one per core) or more, got " + threads);
        }
        if (device < 0) {
            throw new IllegalArgumentException("device must be 0 or more, got " + device);
        }
        if (cublas == Cublas.ON && precision == Precision.BF16) {
            throw new IllegalArgumentException(
                    "cublas=on and precision=bf16 exclude each other: only Fovea's own kernel rounds to bf16; leave one out");
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
        values.put("graph", lowerCase(graph));
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
                case "cublas" -> changed.withCublas(parse(name, value, Cublas.values()));
                case "precision" -> changed.withPrecision(parse(name, value, Precision.values()));
                case "graph" -> changed.withGraph(parse(name, value, Graph.values()));
                default -> throw new IllegalArgumentException("unknown setting '" + name + "'; there are " + names());
            };
        }
        return changed;
    }

    /** This with another number of threads. */
    public BackendSettings withThreads(int newThreads) {
        return new BackendSettings(newThreads, device, cublas, precision, graph);
    }

    /** This on another device. */
    public BackendSettings withDevice(int newDevice) {
        return new BackendSettings(threads, newDevice, cublas, precision, graph);
    }

    private BackendSettings withCublas(Cublas newCublas) {
        return new BackendSettings(threads, device, newCublas, precision, graph);
    }

    private BackendSettings withPrecision(Precision newPrecision) {
        return new BackendSettings(threads, device, cublas, newPrecision, graph);
    }

    private BackendSettings withGraph(Graph newGraph) {
        return new BackendSettings(threads, device, cublas, precision, newGraph);
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
