// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/**
 * Attention with masks and biases of huge finite numbers, as the lowest of a type, alone in a row and among others. Queries,
 * keys and ordinary biases are multiples of 1/8, which every type holds exactly.
 */
public final class ExtremeScores {
    public static final int QUERIES = 7;
    public static final int KEYS = 70;
    public static final int DIM = 3;
    public static final int VALUE_DIM = 2;
    private static final AttentionShape SHAPE =
            new AttentionShape(1, 1, 1, QUERIES, KEYS, DIM, VALUE_DIM, AttentionShape.Layout.BHND);

    /** Queries and keys. */
    private static final int PAIRS = 3;

    private ExtremeScores() {}

    /**
     * An attention to be checked within the rounding of its type.
     *
     * @param scale of the scores, NaN for the usual one
     * @param mask placed in the mask; null for a mask of zeros
     * @param bias placed in the bias, added to ordinary numbers if 0; null for none
     */
    public static AttentionProblem of(Pair p, DType type, double scale, @Nullable Double mask, @Nullable Double bias) {
        AttentionSpec spec = AttentionSpec.DEFAULT;
        AttentionFeatures features = new AttentionFeatures(
                        "mask of " + mask + ", bias of " + bias,
                        SHAPE,
                        Double.isNaN(scale) ? spec : spec.withScale(scale))
                .of(type)
                .withMask(PAIRS);
        features = bias == null ? features : features.withBias(PAIRS);
        AttentionProblem problem = new AttentionProblem(p, features, 5).allowing(tolerance(type));
        Random random = new Random(5);
        Objects.requireNonNull(problem.inputs.query()).upload(eighths(random, QUERIES * DIM));
        Objects.requireNonNull(problem.inputs.key()).upload(eighths(random, KEYS * DIM));
        double[] terms = new double[QUERIES * KEYS];
        place(terms, mask == null ? 0 : mask, mask == null ? 0 : Double.NEGATIVE_INFINITY);
        Objects.requireNonNull(problem.mask().scores()).array().upload(terms);
        if (bias != null) {
            double[] biases = eighths(random, QUERIES * KEYS);
            if (bias != 0) {
                place(biases, bias, Double.NEGATIVE_INFINITY);
            }
            Objects.requireNonNull(problem.inputs.bias()).upload(biases);
        }
        return problem;
    }

    private static double[] eighths(Random random, int length) {
        double[] x = new double[length];
        Arrays.setAll(x, i -> Math.rint(random.nextGaussian() * 8) / 8);
        return x;
    }

    /** Rows: all lowest, all but one, every other, hidden and lowest, lowest after ordinary tiles, none, hidden and ordinary. */
    private static void place(double[] term, double lowest, double hidden) {
        for (int j = 0; j < KEYS; j++) {
            term[j] = lowest;
            term[KEYS + j] = j == 66 ? 0 : lowest;
            term[2 * KEYS + j] = j % 2 == 0 ? lowest : 0;
            term[3 * KEYS + j] = j % 3 == 0 ? lowest : hidden;
            term[4 * KEYS + j] = j >= 64 ? lowest : 0;
            term[6 * KEYS + j] = j % 5 == 0 ? hidden : 0;
        }
    }

    /** Rounding of the type's arithmetic over the sums of as many terms as keys; of 16-bit types, that of what is stored. */
    private static double tolerance(DType type) {
        return switch (type) {
            case F64 -> 1e-12;
            case BF16 -> 0x1p-8;
            case F16 -> 0x1p-11;
            case F32, I32 -> 4e-6;
        };
    }
}
