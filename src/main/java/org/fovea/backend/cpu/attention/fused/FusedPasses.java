// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.fovea.backend.Partition;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/**
 * The passes of the float32 kernels: cuts the work of each into independent pieces and hands each to a thread with its scratch. What is summed
 * over keys alone is cut into query tiles, the rest into key heads, so every sum is made in one order whatever the number
 * of threads.
 */
public final class FusedPasses {
    /** Enough for any number of cores; fewer pieces mean fewer hand-overs. */
    private static final int MAX_PIECES = 64;

    private final AttentionKernels kernels;
    private final Workers workers;
    private final Supplier<Scope> scopes;
    private final ThreadLocal<AttentionScratch> scratch = ThreadLocal.withInitial(AttentionScratch::new);

    public FusedPasses(AttentionKernels kernels, Workers workers, Supplier<Scope> scopes) {
        if (AttentionScratch.QUERIES % kernels.lanes() != 0) {
            throw new IllegalArgumentException("attention tiles of " + AttentionScratch.QUERIES
                    + " queries can't be cut into vectors of " + kernels.lanes());
        }
        this.kernels = kernels;
        this.workers = workers;
        this.scopes = scopes;
    }

    /** Elements of what {@link #forward} saves for the derivatives: of each row the maximum of scores and the inverse of the sum. */
    static long savedSize(AttentionShape shape) {
        return 2 * shape.logSumExpSize();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#forward}. */
    void forward(AttentionCall<CpuArray> call, CpuArray output, CpuArray logSumExp, @Nullable CpuArray saved) {
        AttentionForward forward = new AttentionForward(kernels, call, output, logSumExp, saved);
        forEachTile(forward, AttentionScratch.KEYS, forward::tile);
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#backward}. */
    void backward(
            AttentionCall<CpuArray> call,
            CpuArray output,
            CpuArray saved,
            AttentionPlane<CpuArray> dOutputs,
            AttentionPlane<CpuArray> gradients) {
        try (PartialKeyGradients parts = new PartialKeyGradients(scopes, call, gradients)) {
            AttentionBackward backward =
                    new AttentionBackward(kernels, call, output, saved, dOutputs, gradients, parts);
            forEachKeyHead(AttentionScratch.KEYS, parts, backward);
        }
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#tangent}. */
    void tangent(
            AttentionCall<CpuArray> call,
            CpuArray saved,
            AttentionPlane<CpuArray> tangents,
            AttentionPlane<CpuArray> outputTangents) {
        AttentionTangent tangent = new AttentionTangent(kernels, call, saved, tangents, outputTangents);
        forEachTile(tangent, longestTile(call.shape()), tangent::tile);
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#backwardTangent}. */
    void backwardTangent(
            AttentionCall<CpuArray> call,
            CpuArray saved,
            AttentionPlane<CpuArray> dOutputs,
            AttentionPlane<CpuArray> tangents,
            AttentionPlane<CpuArray> results) {
        try (PartialKeyGradients parts = new PartialKeyGradients(scopes, call, results)) {
            AttentionBackwardTangent backwardTangent =
                    new AttentionBackwardTangent(kernels, call, saved, dOutputs, tangents, results, parts);
            forEachKeyHead(longestTile(call.shape()), parts, backwardTangent);
        }
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#decode}, as often as it is run. */
    public Runnable decode(DecodeCall<CpuArray> call, CpuArray output) {
        DecodeShape shape = call.shape();
        AttentionDecode decode = new AttentionDecode(kernels, call, output);
        int units = shape.batch();
        // A row takes about a microsecond per thousand products, and waking a thread several: small steps stay on one.
        long products = (long) shape.heads() * shape.capacity() * (shape.headDim() + shape.valueDim());
        int pieces = (int) Math.min(Math.min(units, MAX_PIECES), Math.max(1, units * products >> 17));
        IntConsumer work = piece -> {
            float[] scores = scratch.get().decodeScores(shape.capacity() + 4 * kernels.lanes());
            int end = Partition.start(units, piece + 1, pieces);
            for (int unit = Partition.start(units, piece, pieces); unit < end; unit++) {
                decode.row(unit, scores);
            }
        };
        return () -> workers.run(pieces, work);
    }

    /** Work on a tile of the queries of a head. */
    private interface TileWork {
        void tile(int head, int tile, AttentionScratch scratch);
    }

    /** Work on a part of a key head, or on a tile. */
    private interface UnitWork {
        void unit(int unit, AttentionScratch scratch);
    }

    private void forEachTile(AttentionPass pass, int tileKeys, TileWork work) {
        int tiles = pass.tiles;
        int units = Math.multiplyExact(Math.multiplyExact(pass.shape.batch(), pass.shape.heads()), tiles);
        forEachUnit(pass, tileKeys, units, (unit, mine) -> work.tile(unit / tiles, unit % tiles, mine));
    }

    /** A unit is a part of a key head, or all key heads one after the other whose bias gradients are summed in one place. */
    private void forEachKeyHead(int tileKeys, PartialKeyGradients parts, AttentionKeySums sums) {
        AttentionShape shape = sums.shape;
        BiasGradient dBias = parts.dBias();
        boolean rowsApart = dBias == null || dBias.rowsApart();
        boolean headsApart = dBias == null || dBias.headsApart();
        int rows = rowsApart ? 1 : shape.batch();
        int heads = headsApart ? 1 : shape.keyHeads();
        int headsOfRow = headsApart ? shape.keyHeads() : 1;
        int keyHeads = Math.multiplyExact(rowsApart ? shape.batch() : 1, headsOfRow);
        int count = parts.count();
        forEachUnit(sums, tileKeys, Math.multiplyExact(keyHeads, count), (unit, mine) -> {
            int firstRow = unit / count / headsOfRow;
            int firstHead = unit / count % headsOfRow;
            for (int row = firstRow; row < firstRow + rows; row++) {
                for (int head = firstHead; head < firstHead + heads; head++) {
                    sums.keyHead(row * shape.keyHeads() + head, unit % count, mine);
                }
            }
        });
        parts.add(kernels, workers);
    }

    private void forEachUnit(AttentionPass pass, int tileKeys, int units, UnitWork work) {
        int sideLanes = pass.softcap == null && pass.dropout == null ? 0 : kernels.lanes();
        int pieces = Math.min(units, MAX_PIECES);
        workers.run(pieces, piece -> {
            AttentionScratch mine = scratch.get();
            mine.fit(pass.paddedHeadDim, pass.paddedValueDim, tileKeys, sideLanes);
            int end = Partition.start(units, piece + 1, pieces);
            for (int unit = Partition.start(units, piece, pieces); unit < end; unit++) {
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
}
