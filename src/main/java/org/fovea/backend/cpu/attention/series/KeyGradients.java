// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.BitSet;

/** Sums over queries that make the gradients of the keys, values and sinks of one key head. */
final class KeyGradients {
    /** [keys, headDim] */
    final double[][] key;

    /** [keys, valueDim] */
    final double[][] value;

    /** [keys], for Euclidean distances: sums of the gradients of the similarities. */
    final double[][] dSimilaritySum;

    /** [query heads of the key head] */
    final double[][] sink;

    private final SeriesPattern pattern;
    private final int keys;
    private final int group;

    KeyGradients(SeriesPattern pattern, int keys, int group) {
        this.pattern = pattern;
        this.keys = keys;
        this.group = group;
        SeriesPlanes series = new SeriesPlanes(pattern.ring());
        key = series.allocate(pattern.dKey(), keys * pattern.headDim());
        value = series.allocate(pattern.dValue(), keys * pattern.valueDim());
        sink = series.allocate(pattern.dSink(), group);
        dSimilaritySum = series.allocate(pattern.euclidean() ? pattern.dSimilarity() : new BitSet(), keys);
    }

    boolean fits(int keyCount, int heads) {
        return keys == keyCount && group == heads;
    }

    void clear() {
        SeriesPlanes.clear(key, keys * pattern.headDim());
        SeriesPlanes.clear(value, keys * pattern.valueDim());
        SeriesPlanes.clear(dSimilaritySum, keys);
        SeriesPlanes.clear(sink, group);
    }

    void add(KeyGradients other) {
        add(other.key, key);
        add(other.value, value);
        add(other.dSimilaritySum, dSimilaritySum);
        add(other.sink, sink);
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
