// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;

/** Attention of one query per batch row over the newest slots of its ring buffer. */
final class AttentionDecode {

    private final AttentionKernels kernels;
    private final DecodeShape shape;
    private final float scale;
    private final CpuArray query;
    private final CpuArray keyCache;
    private final CpuArray valueCache;
    private final CpuArray counts;
    private final CpuArray positions;
    private final CpuArray output;

    AttentionDecode(AttentionKernels kernels, DecodeCall<CpuArray> call, CpuArray output) {
        this.kernels = kernels;
        shape = call.shape();
        scale = (float) call.spec().scale(shape.headDim());
        query = call.query();
        keyCache = call.keyCache();
        valueCache = call.valueCache();
        counts = call.counts();
        positions = call.positions();
        this.output = output;
    }

    /**
     * Computes the outputs of all heads of one batch row.
     *
     * @param scores room for as many scores as the ring has slots, and four vectors
     */
    void row(int batch, float[] scores) {
        int capacity = shape.capacity();
        int heads = shape.heads();
        int count = Math.min(counts.ints[counts.offset + batch], capacity);
        int outputRow = output.offset + batch * heads * shape.valueDim();
        Arrays.fill(output.floats, outputRow, outputRow + heads * shape.valueDim(), 0);
        if (count == 0) {
            return;
        }
        // The newest count slots, oldest first, are one run or, past the ring's end, two.
        int oldest = Math.floorMod(positions.ints[positions.offset + batch] - count + 1, capacity);
        int first = Math.min(count, capacity - oldest);
        for (int head = 0; head < heads; head++) {
            int q = query.offset + (batch * heads + head) * shape.headDim();
            dots(q, batch, head, oldest, first, scores, 0);
            dots(q, batch, head, 0, count - first, scores, first);
            float sum = kernels.rows().softmaxNumerators(scores, 0, count, scale, scores, capacity + kernels.lanes());
            float inverse = 1 / sum;
            for (int j = 0; j < count; j++) {
                scores[j] *= inverse;
            }
            int out = outputRow + head * shape.valueDim();
            weightedSum(scores, 0, batch, head, oldest, first, out);
            weightedSum(scores, first, batch, head, 0, count - first, out);
        }
    }

    private void dots(int q, int batch, int head, int slot, int count, float[] scores, int scoresOffset) {
        int dim = shape.headDim();
        int stride = shape.heads() * dim;
        int keys = keyCache.offset + (batch * shape.capacity() + slot) * stride + head * dim;
        int room = shape.capacity() + kernels.lanes();
        kernels.rows()
                .rowDots(
                        keyCache.floats,
                        keys,
                        stride,
                        query.floats,
                        q,
                        0,
                        count,
                        dim,
                        scores,
                        scoresOffset,
                        scores,
                        room);
    }

    private void weightedSum(float[] weights, int weightsOffset, int batch, int head, int slot, int count, int out) {
        int dim = shape.valueDim();
        int stride = shape.heads() * dim;
        int values = valueCache.offset + (batch * shape.capacity() + slot) * stride + head * dim;
        kernels.rows()
                .weightedSum(weights, weightsOffset, valueCache.floats, values, stride, count, dim, output.floats, out);
    }
}
