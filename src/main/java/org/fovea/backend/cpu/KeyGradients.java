package org.fovea.backend.cpu;

import java.util.BitSet;

/** Sums over queries that make the gradients of the keys and values of one key head. */
final class KeyGradients {
    /** Keys there is room for. */
    final int keys;

    /** [keys, headDim] */
    final double[][] key;

    /** [keys, valueDim] */
    final double[][] value;

    /** [keys], for Euclidean distances: sums of the gradients of the similarities. */
    final double[][] dSimilaritySum;

    private final SeriesPattern pattern;

    KeyGradients(SeriesPattern pattern, int keys) {
        this.pattern = pattern;
        this.keys = keys;
        SeriesPlanes series = new SeriesPlanes(pattern.ring());
        key = series.allocate(pattern.dKey(), keys * pattern.headDim());
        value = series.allocate(pattern.dValue(), keys * pattern.valueDim());
        dSimilaritySum = series.allocate(pattern.isEuclidean() ? pattern.dSimilarity() : new BitSet(), keys);
    }

    void clear() {
        SeriesPlanes.clear(key, keys * pattern.headDim());
        SeriesPlanes.clear(value, keys * pattern.valueDim());
        SeriesPlanes.clear(dSimilaritySum, keys);
    }

    void add(KeyGradients other) {
        add(other.key, key);
        add(other.value, value);
        add(other.dSimilaritySum, dSimilaritySum);
    }

    private static void add(double[][] from, double[][] to) {
        for (int p = 0; p < to.length; p++) {
            double[] target = to[p];
            double[] source = from[p];
            if (target != null && source != null) {
                for (int i = 0; i < target.length; i++) {
                    target[i] += source[i];
                }
            }
        }
    }
}
