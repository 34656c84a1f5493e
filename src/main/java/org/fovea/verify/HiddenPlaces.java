// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionShape;

/** Elements of an attention that must not matter: those that no query sees, and those of queries that see nothing. */
public final class HiddenPlaces {

    /** No such place. */
    static final HiddenPlaces NOTHING = new HiddenPlaces();

    private final boolean[] query;
    private final boolean[] key;
    private final boolean[] value;
    private final boolean[] bias;
    private final boolean[] mask;
    private final boolean[] output;
    private final boolean[] logSumExp;

    private HiddenPlaces() {
        query = new boolean[0];
        key = query;
        value = query;
        bias = query;
        mask = query;
        output = query;
        logSumExp = query;
    }

    /** @param scores [batch, heads, queries, keys], -infinity where the query does not see the key */
    HiddenPlaces(AttentionFeatures features, double[] scores) {
        AttentionShape s = features.shape();
        query = hidden(s.querySize());
        key = hidden(s.keySize());
        value = hidden(s.valueSize());
        output = hidden(s.outputSize());
        // With a sink that of a row which sees no key is the sink's score, and moves it.
        logSumExp = features.sink() ? new boolean[(int) s.logSumExpSize()] : hidden(s.logSumExpSize());
        bias = hidden(features.biasSize());
        mask = hidden(size(features, features.mask()));
        int pair = 0;
        for (int b = 0; b < s.batch(); b++) {
            for (int h = 0; h < s.heads(); h++) {
                for (int i = 0; i < s.queries(); i++) {
                    for (int j = 0; j < s.keys(); j++) {
                        if (scores[pair++] != Double.NEGATIVE_INFINITY) {
                            int keyHead = h / s.group();
                            show(query, s, b, h, s.heads(), i, s.queries(), s.headDim());
                            show(output, s, b, h, s.heads(), i, s.queries(), s.valueDim());
                            show(key, s, b, keyHead, s.keyHeads(), j, s.keys(), s.headDim());
                            show(value, s, b, keyHead, s.keyHeads(), j, s.keys(), s.valueDim());
                            logSumExp[(b * s.heads() + h) * s.queries() + i] = false;
                            if (features.bias() != AttentionFeatures.NONE) {
                                bias[features.biasAt(b, h, i, j)] = false;
                            }
                            show(mask, features, features.mask(), b, h, i, j);
                        }
                    }
                }
            }
        }
    }

    private static boolean[] hidden(long length) {
        boolean[] hidden = new boolean[(int) length];
        Arrays.fill(hidden, true);
        return hidden;
    }

    private static int size(AttentionFeatures features, int axes) {
        return axes == AttentionFeatures.NONE
                ? 0
                : Arrays.stream(features.extents(axes)).reduce(1, (a, b) -> a * b);
    }

    private static void show(boolean[] hidden, AttentionShape s, int b, int h, int heads, int row, int rows, int dim) {
        int at = s.layout() == AttentionShape.Layout.BHND
                ? ((b * heads + h) * rows + row) * dim
                : ((b * rows + row) * heads + h) * dim;
        Arrays.fill(hidden, at, at + dim, false);
    }

    private static void show(boolean[] hidden, AttentionFeatures features, int axes, int... place) {
        if (axes == AttentionFeatures.NONE) {
            return;
        }
        int[] extents = features.extents(axes);
        int at = 0;
        for (int axis = 0; axis < 4; axis++) {
            at = at * extents[axis] + (extents[axis] == 1 ? 0 : place[axis]);
        }
        hidden[at] = false;
    }

    private static double[] hide(double[] values, boolean[] hidden) {
        for (int i = 0; i < hidden.length; i++) {
            values[i] = hidden[i] ? Double.NaN : values[i];
        }
        return values;
    }

    double[] query(double[] values) {
        return hide(values, query);
    }

    double[] key(double[] values) {
        return hide(values, key);
    }

    double[] value(double[] values) {
        return hide(values, value);
    }

    double[] bias(double[] values) {
        return hide(values, bias);
    }

    /** Also gradients of the output and what is of its shape. */
    double[] output(double[] values) {
        return hide(values, output);
    }

    double[] logSumExp(double[] values) {
        return hide(values, logSumExp);
    }

    /** Terms of -infinity stay. */
    double[] mask(double[] values) {
        for (int i = 0; i < mask.length; i++) {
            boolean hides = values[i] == Double.NEGATIVE_INFINITY;
            values[i] = mask[i] && !hides ? Double.NaN : values[i];
        }
        return values;
    }
}
