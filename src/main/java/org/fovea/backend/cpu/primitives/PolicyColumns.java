// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.UnaryOp;

/**
 * A block of rows of logits, transposed: actions are few and rows are many, so vectors run along the rows. Column a of a
 * block starts at {@code a ROWS}.
 */
final class PolicyColumns {
    /** Rows of a block: its columns stay in the first-level cache. */
    static final int ROWS = 256;

    /** Rows up to this wide are shorter than a vector, so that their softmax is best taken in columns. */
    static final int NARROW = 12;

    private static final ThreadLocal<PolicyColumns> SCRATCH = ThreadLocal.withInitial(() -> new PolicyColumns(1));

    private final int actions;

    /** Log-probabilities, column by column. */
    final float[] logProbs;

    /** Probabilities, column by column. */
    final float[] probs;

    private final float[] work = new float[ROWS];

    private PolicyColumns(int actions) {
        this.actions = actions;
        logProbs = new float[actions * ROWS];
        probs = new float[actions * ROWS];
    }

    /** The calling thread's block for this many actions. */
    static PolicyColumns of(int actions) {
        PolicyColumns columns = SCRATCH.get();
        if (columns.actions != actions) {
            columns = new PolicyColumns(actions);
            SCRATCH.set(columns);
        }
        return columns;
    }

    /** The softmax of every row, or its logarithm. */
    static void softmax(Kernels kernels, boolean log, int rows, int width, CpuArray x, CpuArray y) {
        PolicyColumns columns = of(width);
        float[] result = log ? columns.logProbs : columns.probs;
        for (int start = 0; start < rows; start += ROWS) {
            int count = Math.min(ROWS, rows - start);
            columns.load(kernels, count, x.floats, x.offset + start * width);
            if (!log) {
                columns.clearRowsOfNothing(count, x.floats, x.offset + start * width);
            }
            for (int a = 0; a < width; a++) {
                for (int r = 0; r < count; r++) {
                    y.floats[y.offset + (start + r) * width + a] = result[a * ROWS + r];
                }
            }
        }
    }

    /** Fills the block from {@code rows} rows of logits, at most {@link #ROWS}. */
    void load(Kernels kernels, int rows, float[] logits, int offset) {
        for (int a = 0; a < actions; a++) {
            for (int r = 0; r < rows; r++) {
                logProbs[a * ROWS + r] = logits[offset + r * actions + a];
            }
        }
        System.arraycopy(logProbs, 0, work, 0, rows);
        for (int a = 1; a < actions; a++) {
            kernels.zip(BinaryOp.MAX, work, 0, 1, logProbs, a * ROWS, 1, work, 0, rows);
        }
        for (int a = 0; a < actions; a++) {
            int column = a * ROWS;
            kernels.zip(BinaryOp.SUBTRACT, logProbs, column, 1, work, 0, 1, logProbs, column, rows);
            kernels.map(UnaryOp.EXP, logProbs, column, probs, column, rows);
        }
        System.arraycopy(probs, 0, work, 0, rows);
        for (int a = 1; a < actions; a++) {
            kernels.zip(BinaryOp.ADD, work, 0, 1, probs, a * ROWS, 1, work, 0, rows);
        }
        for (int a = 0; a < actions; a++) {
            kernels.zip(BinaryOp.DIVIDE, probs, a * ROWS, 1, work, 0, 1, probs, a * ROWS, rows);
        }
        kernels.map(UnaryOp.LOG, work, 0, work, 0, rows);
        for (int a = 0; a < actions; a++) {
            int column = a * ROWS;
            kernels.zip(BinaryOp.SUBTRACT, logProbs, column, 1, work, 0, 1, logProbs, column, rows);
        }
    }

    /** Sets to 0 the probabilities of rows whose logits are all -infinity. */
    private void clearRowsOfNothing(int rows, float[] logits, int offset) {
        for (int r = 0; r < rows; r++) {
            boolean nothing = true;
            for (int a = 0; a < actions && nothing; a++) {
                nothing = logits[offset + r * actions + a] == Float.NEGATIVE_INFINITY;
            }
            for (int a = 0; a < actions && nothing; a++) {
                probs[a * ROWS + r] = 0f;
            }
        }
    }

    /** {@code p log p}, 0 where p is 0. */
    float pLogP(int action, int row) {
        int at = action * ROWS + row;
        return probs[at] * Math.max(logProbs[at], -Float.MAX_VALUE);
    }

    /** Writes each row's entropy in nats. */
    void entropy(int rows, float[] target) {
        for (int r = 0; r < rows; r++) {
            target[r] = -pLogP(0, r);
        }
        for (int a = 1; a < actions; a++) {
            for (int r = 0; r < rows; r++) {
                target[r] -= pLogP(a, r);
            }
        }
    }
}
