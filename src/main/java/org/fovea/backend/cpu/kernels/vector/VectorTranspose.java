// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import java.util.function.IntUnaryOperator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The transpose of {@link org.fovea.backend.cpu.kernels.AttentionKernels#transpose}. Squares of 16 by 16 go through vectors: the
 * square's 4 by 4 quarters are transposed as a whole, and then each in itself. What must move to other lanes is loaded from
 * as far beside its row, which ends in a row above or below and so within the matrix: a shuffle checks its indices on every
 * use, which takes longer. Narrower vectors, and edges, go by scalars.
 */
final class VectorTranspose {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();
    private static final int SQUARE = 16;

    // Masks are made from these where they are used and stay in registers; as constants they would be loaded every
    // time.
    private static final float[] QUARTER = lanes(lane -> lane / 4);
    private static final float[] PAIR = lanes(lane -> lane / 2 % 2);
    private static final long LOWER = 0xFFFFFFFFL;

    private VectorTranspose() {}

    private static float[] lanes(IntUnaryOperator f) {
        float[] values = new float[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            values[lane] = f.applyAsInt(lane);
        }
        return values;
    }

    /** {@link org.fovea.backend.cpu.kernels.AttentionKernels#transpose}. */
    static void transpose(
            float[] source,
            int sourceOffset,
            int sourceStride,
            int rows,
            int columns,
            float factor,
            float[] target,
            int targetOffset,
            int targetStride) {
        int squareRows = LANES == SQUARE ? rows / SQUARE * SQUARE : 0;
        int squareColumns = columns / SQUARE * SQUARE;
        for (int i = 0; i < squareRows; i += SQUARE) {
            for (int j = 0; j < squareColumns; j += SQUARE) {
                int t = targetOffset + j * targetStride + i;
                swapQuarters(
                        source, sourceOffset + i * sourceStride + j, sourceStride, factor, target, t, targetStride);
            }
            // Apart, because a load of parts of two vectors waits until their stores are through.
            for (int j = 0; j < squareColumns; j += SQUARE) {
                transposeQuarters(target, targetOffset + j * targetStride + i, targetStride);
            }
            if (squareColumns < columns) {
                scalars(
                        source,
                        sourceOffset + i * sourceStride + squareColumns,
                        sourceStride,
                        SQUARE,
                        columns - squareColumns,
                        factor,
                        target,
                        targetOffset + squareColumns * targetStride + i,
                        targetStride);
            }
        }
        scalars(
                source,
                sourceOffset + squareRows * sourceStride,
                sourceStride,
                rows - squareRows,
                columns,
                factor,
                target,
                targetOffset + squareRows,
                targetStride);
    }

    /** {@code target[4 i + r][4 j + l] = factor source[4 j + r][4 i + l]} */
    private static void swapQuarters(
            float[] source, int s, int sourceStride, float factor, float[] target, int t, int targetStride) {
        FloatVector quarter = FloatVector.fromArray(SPECIES, QUARTER, 0);
        VectorMask<Float> from1 = quarter.compare(VectorOperators.GE, 1f);
        VectorMask<Float> from2 = quarter.compare(VectorOperators.GE, 2f);
        VectorMask<Float> from3 = quarter.compare(VectorOperators.GE, 3f);
        int step = 4 * sourceStride - 4;
        for (int row = 0; row < SQUARE; row++) {
            int s0 = s + row % 4 * sourceStride + row / 4 * 4;
            FloatVector.fromArray(SPECIES, source, s0)
                    .blend(FloatVector.fromArray(SPECIES, source, s0 + step), from1)
                    .blend(FloatVector.fromArray(SPECIES, source, s0 + 2 * step), from2)
                    .blend(FloatVector.fromArray(SPECIES, source, s0 + 3 * step), from3)
                    .mul(factor)
                    .intoArray(target, t + row * targetStride);
        }
    }

    /** Transposes each quarter of each four rows in place: its pairs by loads, within a pair by shifts. */
    private static void transposeQuarters(float[] target, int t, int targetStride) {
        VectorMask<Float> upper = FloatVector.fromArray(SPECIES, PAIR, 0).compare(VectorOperators.GT, 0f);
        for (int row = 0; row < SQUARE; row += 4) {
            int t0 = t + row * targetStride;
            int t1 = t0 + targetStride;
            int t2 = t1 + targetStride;
            int t3 = t2 + targetStride;
            LongVector a = FloatVector.fromArray(SPECIES, target, t0)
                    .blend(FloatVector.fromArray(SPECIES, target, t2 - 2), upper)
                    .reinterpretAsLongs();
            LongVector b = FloatVector.fromArray(SPECIES, target, t1)
                    .blend(FloatVector.fromArray(SPECIES, target, t3 - 2), upper)
                    .reinterpretAsLongs();
            LongVector c = FloatVector.fromArray(SPECIES, target, t0 + 2)
                    .blend(FloatVector.fromArray(SPECIES, target, t2), upper)
                    .reinterpretAsLongs();
            LongVector d = FloatVector.fromArray(SPECIES, target, t1 + 2)
                    .blend(FloatVector.fromArray(SPECIES, target, t3), upper)
                    .reinterpretAsLongs();
            a.and(LOWER)
                    .or(b.lanewise(VectorOperators.LSHL, 32))
                    .reinterpretAsFloats()
                    .intoArray(target, t0);
            b.and(~LOWER)
                    .or(a.lanewise(VectorOperators.LSHR, 32))
                    .reinterpretAsFloats()
                    .intoArray(target, t1);
            c.and(LOWER)
                    .or(d.lanewise(VectorOperators.LSHL, 32))
                    .reinterpretAsFloats()
                    .intoArray(target, t2);
            d.and(~LOWER)
                    .or(c.lanewise(VectorOperators.LSHR, 32))
                    .reinterpretAsFloats()
                    .intoArray(target, t3);
        }
    }

    private static void scalars(
            float[] source,
            int sourceOffset,
            int sourceStride,
            int rows,
            int columns,
            float factor,
            float[] target,
            int targetOffset,
            int targetStride) {
        int padded = (rows + LANES - 1) / LANES * LANES;
        int i = 0;
        // Four rows at a time: their elements are neighbours in the target, so one range check does for four stores.
        for (; i <= rows - 4; i += 4) {
            int s0 = sourceOffset + i * sourceStride;
            int s1 = s0 + sourceStride;
            int s2 = s1 + sourceStride;
            int s3 = s2 + sourceStride;
            for (int j = 0, t = targetOffset + i; j < columns; j++, t += targetStride) {
                target[t] = source[s0 + j] * factor;
                target[t + 1] = source[s1 + j] * factor;
                target[t + 2] = source[s2 + j] * factor;
                target[t + 3] = source[s3 + j] * factor;
            }
        }
        for (; i < rows; i++) {
            int s = sourceOffset + i * sourceStride;
            for (int j = 0, t = targetOffset + i; j < columns; j++, t += targetStride) {
                target[t] = source[s + j] * factor;
            }
        }
        for (; i < padded; i++) {
            for (int j = 0, t = targetOffset + i; j < columns; j++, t += targetStride) {
                target[t] = 0;
            }
        }
    }
}
