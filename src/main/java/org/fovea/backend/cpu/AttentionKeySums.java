package org.fovea.backend.cpu;

import java.util.Arrays;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;

/** A pass that makes sums over queries for every key, one tile of queries after the other. */
abstract class AttentionKeySums extends AttentionPass {
    final CpuArray dKey;
    final CpuArray dValue;

    AttentionKeySums(
            AttentionKernels kernels,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionArrays in,
            CpuArray dKey,
            CpuArray dValue) {
        super(kernels, shape, spec, in);
        this.dKey = dKey;
        this.dValue = dValue;
    }

    /** Sets the sums of the keys before {@code to} to 0 that nothing was written for yet. */
    final void clear(AttentionScratch t, int head, int to) {
        for (int j = t.writtenKeys; j < to; j++) {
            int key = keyRow(dKey, head, j, headDim);
            int value = keyRow(dValue, head, j, valueDim);
            Arrays.fill(dKey.floats, key, key + headDim, 0);
            Arrays.fill(dValue.floats, value, value + valueDim, 0);
        }
        t.writtenKeys = Math.max(t.writtenKeys, to);
    }

    /**
     * Takes sums over the tile's queries into {@code target}, for keys {@code [from, to)}: adds them for keys before {@code
     * written}, and stores them for the others.
     */
    final void sumInto(
            CpuArray target,
            int stride,
            int dim,
            AttentionScratch t,
            int from,
            int to,
            int written,
            int weights,
            Operand rows,
            int paddedDim,
            boolean careful) {
        int fresh = Math.max(from, Math.min(written, to));
        int old = fresh - from;
        int first = keyRow(target, t.head, from, dim);
        int firstFresh = first + old * stride;
        // Sums are made for ROWS keys from the block's start at a time, so old and new keys part there or in a copy.
        boolean inPlace = dim == paddedDim && (fresh == to || old % ROWS == 0);
        if (inPlace) {
            sumOverQueries(t, from, fresh, weights, rows, true, careful, target.floats, first, stride, dim);
            int freshWeights = weights + old * QUERIES;
            sumOverQueries(t, fresh, to, freshWeights, rows, false, careful, target.floats, firstFresh, stride, dim);
        } else {
            sumOverQueries(t, from, to, weights, rows, false, careful, t.floats, t.keySum, paddedDim, paddedDim);
            kernels.addRows(1, t.floats, t.keySum, paddedDim, target.floats, first, stride, old, dim);
            copyRows(t, t.keySum + old * paddedDim, paddedDim, target, firstFresh, stride, to - fresh, dim);
        }
    }

    private static void copyRows(
            AttentionScratch t,
            int source,
            int sourceStride,
            CpuArray target,
            int first,
            int stride,
            int rows,
            int dim) {
        for (int i = 0; i < rows; i++) {
            System.arraycopy(t.floats, source + i * sourceStride, target.floats, first + i * stride, dim);
        }
    }

    /** {@code sums[key][.] = sum over seeing queries of weights[key][query] rows[query][.]} for keys {@code [from, to)}. */
    private void sumOverQueries(
            AttentionScratch t,
            int from,
            int to,
            int weights,
            Operand rows,
            boolean accumulate,
            boolean careful,
            float[] sums,
            int sum,
            int stride,
            int dim) {
        if (from == to) {
            return;
        }
        boolean allSeen = firstQuerySeeing(t, to - 1) == 0 && endOfQueriesSeeing(t, from) == t.queries;
        int step = allSeen ? to - from : ROWS;
        for (int j = from; j < to; j += step) {
            int end = Math.min(j + step, to);
            int first = firstQuerySeeing(t, j);
            int count = Math.max(0, endOfQueriesSeeing(t, end - 1) - first);
            kernels.multiply(
                    accumulate,
                    careful,
                    t.floats,
                    weights + (j - from) * QUERIES + first,
                    QUERIES,
                    1,
                    rows.floats,
                    rows.offset + first * rows.stride,
                    rows.stride,
                    sums,
                    sum + (j - from) * stride,
                    stride,
                    end - j,
                    count,
                    dim);
        }
    }
}
