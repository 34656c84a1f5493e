// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.UnaryOp;

/**
 * A block of rows of logits, transposed: actions are few and rows are many, so vectors run along the rows. A row has some
 * parts, each with a softmax of its own. Column a of part q starts at {@code (q actions + a) ROWS}.
 */
final class PolicyColumns {
    /** Rows of a block: its columns stay in the first-level cache. */
    static final int ROWS = 256;

    /** Rows up to this wide are shorter than a vector, so that their softmax is best taken in columns. */
    static final int NARROW = 12;

    private static final ThreadLocal<PolicyColumns> SCRATCH = ThreadLocal.withInitial(() -> new PolicyColumns(1, 1));

    private final int parts;
    private final int actions;

    /** Log-probabilities, column by column. */
    final float[] logProbs;

    /** Probabilities, column by column. */
    final float[] probs;

    /** Entropies in nats, part by part; written by {@link #entropy}. */
    final float[] entropies;

    private final float[] work = new float[ROWS];

    private PolicyColumns(int parts, int actions) {
        this.parts = parts;
        this.actions = actions;
        logProbs = new float[parts * actions * ROWS];
        probs = new float[parts * actions * ROWS];
        entropies = new float[parts * ROWS];
    }

    /** The calling thread's block for this many parts of this many actions. */
    static PolicyColumns of(int parts, int actions) {
        PolicyColumns columns = SCRATCH.get();
        if (columns.parts != parts || columns.actions != actions) {
            columns = new PolicyColumns(parts, actions);
            SCRATCH.set(columns);
        }
        return columns;
    }

    /** The softmax of every row, or its logarithm. */
    static void softmax(Kernels kernels, boolean log, int rows, int width, CpuArray x, CpuArray y) {
        PolicyColumns columns = of(1, width);
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
        int columns = parts * actions;
        for (int column = 0; column < columns; column++) {
            for (int r = 0; r < rows; r++) {
                logProbs[column * ROWS + r] = logits[offset + r * columns + column];
            }
        }
        for (int first = 0; first < columns; first += actions) {
            normalize(kernels, rows, first);
        }
    }

    /** Logits in the columns of a part become log-probabilities. */
    private void normalize(Kernels kernels, int rows, int first) {
        int start = first * ROWS;
        int end = start + actions * ROWS;
        System.arraycopy(logProbs, start, work, 0, rows);
        for (int column = start + ROWS; column < end; column += ROWS) {
            kernels.zip(BinaryOp.MAX, work, 0, 1, logProbs, column, 1, work, 0, rows);
        }
        for (int column = start; column < end; column += ROWS) {
            kernels.zip(BinaryOp.SUBTRACT, logProbs, column, 1, work, 0, 1, logProbs, column, rows);
            kernels.map(UnaryOp.EXP, logProbs, column, probs, column, rows);
        }
        System.arraycopy(probs, start, work, 0, rows);
        for (int column = start + ROWS; column < end; column += ROWS) {
            kernels.zip(BinaryOp.ADD, work, 0, 1, probs, column, 1, work, 0, rows);
        }
        for (int column = start; column < end; column += ROWS) {
            kernels.zip(BinaryOp.DIVIDE, probs, column, 1, work, 0, 1, probs, column, rows);
        }
        kernels.map(UnaryOp.LOG, work, 0, work, 0, rows);
        for (int column = start; column < end; column += ROWS) {
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

    /** {@code p log p} of a column, 0 where p is 0. */
    float pLogP(int column, int row) {
        int at = column * ROWS + row;
        return probs[at] * Math.max(logProbs[at], -Float.MAX_VALUE);
    }

    /** Fills in the entropies of the parts, and writes each row's sum of them. */
    void entropy(int rows, float[] target) {
        for (int part = 0; part < parts; part++) {
            int first = part * actions;
            int at = part * ROWS;
            for (int r = 0; r < rows; r++) {
                entropies[at + r] = -pLogP(first, r);
            }
            for (int a = 1; a < actions; a++) {
                for (int r = 0; r < rows; r++) {
                    entropies[at + r] -= pLogP(first + a, r);
                }
            }
            for (int r = 0; r < rows; r++) {
                target[r] = part == 0 ? entropies[r] : target[r] + entropies[at + r];
            }
        }
    }
}
