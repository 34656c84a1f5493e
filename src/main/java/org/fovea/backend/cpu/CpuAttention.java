package org.fovea.backend.cpu;

import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShapes;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.DType;
import org.fovea.backend.DecodeShape;
import org.jspecify.annotations.Nullable;

/**
 * Attention on the CPU: cuts the work into independent pieces and hands each to a thread with its scratch. What
 * is summed over keys alone is cut into query tiles, the rest into key heads, so every sum is made in one order whatever the number of
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

    /** Whether the float32 kernels know all that is asked for; {@link CpuSeries} does what they don't. */
    static boolean supports(AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        return in.query().dtype() == DType.F32 && AttentionShapes.isPlain(shape, spec, in);
    }

    /** As {@link org.fovea.backend.AttentionOps#attentionForward}. */
    void forward(AttentionShape shape, AttentionSpec spec, AttentionArrays in, CpuArray output, CpuArray logSumExp) {
        AttentionForward forward = new AttentionForward(kernels, shape, spec, in, output, logSumExp);
        forEachTile(shape, AttentionScratch.KEYS, forward::tile);
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
        AttentionBackward backward = new AttentionBackward(
                kernels, shape, spec, in, output, logSumExp, dOutput, dLogSumExp, dQuery, dKey, dValue);
        forEachKeyHead(shape, AttentionScratch.KEYS, backward::keyHead);
    }

    /** As {@link org.fovea.backend.AttentionOps#attentionTangent}. */
    void tangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionArrays in,
            ArgumentArrays tangents,
            CpuArray logSumExp,
            CpuArray outputTangent,
            CpuArray logSumExpTangent) {
        AttentionTangent tangent =
                new AttentionTangent(kernels, shape, spec, in, tangents, logSumExp, outputTangent, logSumExpTangent);
        forEachTile(shape, longestTile(shape), tangent::tile);
    }

    /** As {@link org.fovea.backend.AttentionOps#attentionBackwardTangent}. */
    void backwardTangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionArrays in,
            ArgumentArrays tangents,
            CpuArray logSumExp,
            OutputGradientArrays gradients,
            CpuArray outputTangent,
            CpuArray logSumExpTangent,
            ArgumentArrays gradientTangents) {
        AttentionBackwardTangent backwardTangent = new AttentionBackwardTangent(
                kernels,
                shape,
                spec,
                in,
                tangents,
                logSumExp,
                gradients,
                outputTangent,
                logSumExpTangent,
                gradientTangents);
        forEachKeyHead(shape, longestTile(shape), backwardTangent::keyHead);
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

    /** Work on the queries of a head from {@code firstQuery} on, a tile of them. */
    private interface TileWork {
        void tile(int head, int firstQuery, AttentionScratch scratch);
    }

    /** Work on a key head, or on a tile's number. */
    private interface UnitWork {
        void unit(int unit, AttentionScratch scratch);
    }

    private void forEachTile(AttentionShape shape, int tileKeys, TileWork work) {
        int tiles = ceilDiv(shape.queries(), AttentionScratch.QUERIES);
        int units = Math.multiplyExact(Math.multiplyExact(shape.batch(), shape.heads()), tiles);
        forEachUnit(
                shape,
                tileKeys,
                units,
                (unit, mine) -> work.tile(unit / tiles, unit % tiles * AttentionScratch.QUERIES, mine));
    }

    private void forEachKeyHead(AttentionShape shape, int tileKeys, UnitWork work) {
        forEachUnit(shape, tileKeys, Math.multiplyExact(shape.batch(), shape.keyHeads()), work);
    }

    private void forEachUnit(AttentionShape shape, int tileKeys, int units, UnitWork work) {
        int lanes = kernels.lanes();
        int pieces = Math.min(units, MAX_PIECES);
        workers.run(pieces, piece -> {
            AttentionScratch mine = scratch.get();
            mine.fit(ceilDiv(shape.headDim(), lanes) * lanes, ceilDiv(shape.valueDim(), lanes) * lanes, tileKeys);
            int end = cut(units, piece + 1, pieces);
            for (int unit = cut(units, piece, pieces); unit < end; unit++) {
                work.unit(unit, mine);
            }
        });
    }

    /** Keys of which a tile may hold the scores if it holds all. */
    private static int longestTile(AttentionShape shape) {
        return ceilDiv(shape.keys(), AttentionScratch.KEYS) * AttentionScratch.KEYS;
    }

    private static int ceilDiv(int x, int y) {
        return (x + y - 1) / y;
    }

    /** Where piece {@code piece} of {@code units} units starts. */
    private static int cut(int units, int piece, int pieces) {
        return (int) ((long) units * piece / pieces);
    }
}
