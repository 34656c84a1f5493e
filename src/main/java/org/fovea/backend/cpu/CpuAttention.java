package org.fovea.backend.cpu;

import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.DecodeShape;
import org.jspecify.annotations.Nullable;

/**
 * Attention on the CPU: cuts the work into independent pieces and hands each to a thread with its scratch. The forward
 * pass is cut into query tiles, the backward pass into heads, so every sum is made in one order whatever the number of
 * threads.
 */
final class CpuAttention {
    /** Enough for any number of cores; fewer pieces mean fewer hand-overs. */
    private static final int MAX_PIECES = 64;

    private final AttentionKernels kernels;
    private final Workers workers;
    private final ThreadLocal<AttentionScratch> scratch = ThreadLocal.withInitial(AttentionScratch::new);

    CpuAttention(AttentionKernels kernels, Workers workers) {
        if (AttentionScratch.QUERIES % kernels.lanes() != 0) {
            throw new IllegalArgumentException("attention tiles of " + AttentionScratch.QUERIES
                    + " queries can't be cut into vectors of " + kernels.lanes());
        }
        this.kernels = kernels;
        this.workers = workers;
    }

    /** As {@link org.fovea.backend.AttentionOps#attentionForward}. */
    void forward(AttentionShape shape, AttentionSpec spec, AttentionArrays in, CpuArray output, CpuArray logSumExp) {
        int tiles = ceilDiv(shape.queries(), AttentionScratch.QUERIES);
        int units = Math.multiplyExact(Math.multiplyExact(shape.batch(), shape.heads()), tiles);
        int pieces = Math.min(units, MAX_PIECES);
        AttentionForward forward = new AttentionForward(kernels, shape, spec, in, output, logSumExp);
        workers.run(pieces, piece -> {
            AttentionScratch mine = fittingScratch(shape);
            int end = cut(units, piece + 1, pieces);
            for (int unit = cut(units, piece, pieces); unit < end; unit++) {
                forward.tile(unit / tiles, unit % tiles * AttentionScratch.QUERIES, mine);
            }
        });
    }

    /** As {@link org.fovea.backend.AttentionOps#attentionBackward}. */
    void backward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionArrays in,
            CpuArray output,
            CpuArray logSumExp,
            CpuArray dOutput,
            @Nullable CpuArray dLogSumExp,
            CpuArray dQuery,
            CpuArray dKey,
            CpuArray dValue) {
        int units = Math.multiplyExact(shape.batch(), shape.heads());
        int pieces = Math.min(units, MAX_PIECES);
        AttentionBackward backward = new AttentionBackward(
                kernels, shape, spec, in, output, logSumExp, dOutput, dLogSumExp, dQuery, dKey, dValue);
        workers.run(pieces, piece -> {
            AttentionScratch mine = fittingScratch(shape);
            int end = cut(units, piece + 1, pieces);
            for (int unit = cut(units, piece, pieces); unit < end; unit++) {
                backward.head(unit, mine);
            }
        });
    }

    /** As {@link org.fovea.backend.AttentionOps#attentionDecode}. */
    void decode(
            DecodeShape shape,
            float scale,
            CpuArray query,
            CpuArray keyCache,
            CpuArray valueCache,
            CpuArray counts,
            int newest,
            CpuArray output) {
        AttentionDecode decode =
                new AttentionDecode(kernels, shape, scale, query, keyCache, valueCache, counts, newest, output);
        int units = shape.batch();
        // A row takes about a microsecond per thousand products, and waking a thread several: small steps stay on one.
        long products = (long) shape.heads() * shape.capacity() * (shape.headDim() + shape.valueDim());
        int pieces = (int) Math.min(Math.min(units, MAX_PIECES), Math.max(1, units * products >> 17));
        workers.run(pieces, piece -> {
            float[] scores = scratch.get().decodeScores(shape.capacity() + 4 * kernels.lanes());
            int end = cut(units, piece + 1, pieces);
            for (int unit = cut(units, piece, pieces); unit < end; unit++) {
                decode.row(unit, scores);
            }
        });
    }

    private AttentionScratch fittingScratch(AttentionShape shape) {
        AttentionScratch mine = scratch.get();
        int lanes = kernels.lanes();
        mine.fit(ceilDiv(shape.headDim(), lanes) * lanes, ceilDiv(shape.valueDim(), lanes) * lanes);
        return mine;
    }

    private static int ceilDiv(int x, int y) {
        return (x + y - 1) / y;
    }

    /** Where piece {@code piece} of {@code units} units starts. */
    private static int cut(int units, int piece, int pieces) {
        return (int) ((long) units * piece / pieces);
    }
}
