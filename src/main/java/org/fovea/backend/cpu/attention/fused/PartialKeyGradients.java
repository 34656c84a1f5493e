// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static java.util.Objects.requireNonNull;

import java.util.function.Supplier;
import org.fovea.backend.Partition;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.cpu.attention.series.ScoreReader;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.Block;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/**
 * The parts that the queries of each key head are cut into, so that few heads with long rows occupy many threads, and the sums
 * over queries that each part makes. How many there are depends on shapes alone: sums are made in one order whatever the
 * number of threads.
 */
final class PartialKeyGradients implements AutoCloseable {
    /** Enough pieces of work for many threads; where key heads are as many, none is cut. */
    private static final int UNITS = 32;

    /** Each part has a copy of the gradients of keys and values. */
    private static final int MAX_PARTS = 4;

    /** Fewer tiles would not be worth the copy. */
    private static final int MIN_TILES = 4;

    private static final int MAX_PIECES = 64;

    private final AttentionShape shape;
    private final @Nullable CpuArray dSink;
    private final @Nullable Scope scope;
    private final CpuArray[] dKeys;
    private final CpuArray[] dValues;
    private final double @Nullable [] dSinks;

    private final @Nullable BiasGradient dBias;

    /** @param gradients written in the end; where a bias is among them whose sums are made in their place, no key head is cut */
    PartialKeyGradients(Supplier<Scope> scopes, AttentionCall<CpuArray> call, AttentionPlane<CpuArray> gradients) {
        shape = call.shape();
        dSink = gradients.sink();
        dBias = BiasGradient.open(shape, call.spec(), ScoreReader.of(call.bias(), gradients.bias()));
        int parts = dBias == null || dBias.partsApart() ? count(shape) : 1;
        if (dBias != null) {
            dBias.cut(parts);
        }
        scope = parts == 1 ? null : scopes.get();
        dKeys = new CpuArray[parts];
        dValues = new CpuArray[parts];
        dKeys[0] = requireNonNull(gradients.key());
        dValues[0] = requireNonNull(gradients.value());
        for (int part = 1; scope != null && part < parts; part++) {
            dKeys[part] = (CpuArray) scope.allocate(DType.F32, shape.keySize());
            dValues[part] = (CpuArray) scope.allocate(DType.F32, shape.valueSize());
        }
        dSinks = dSink == null
                ? null
                : new double[Math.multiplyExact(parts, Math.multiplyExact(shape.batch(), shape.heads()))];
    }

    private static int count(AttentionShape shape) {
        long keyHeads = Math.max(1, (long) shape.batch() * shape.keyHeads());
        long tiles = (long) shape.group() * (shape.queries() / AttentionScratch.QUERIES);
        return (int) Math.max(1, Math.min(MAX_PARTS, Math.min(UNITS / keyHeads, tiles / MIN_TILES)));
    }

    int count() {
        return dKeys.length;
    }

    /** Sums of a part, in the shape of the keys; unspecified before the part was worked on. */
    CpuArray dKey(int part) {
        return dKeys[part];
    }

    /** Likewise of the values. */
    CpuArray dValue(int part) {
        return dValues[part];
    }

    /** Of the bias, if it is wanted. */
    @Nullable
    BiasGradient dBias() {
        return dBias;
    }

    boolean wantsSinks() {
        return dSinks != null;
    }

    /**
     * Adds to the gradient of a sink.
     *
     * @param head counted through the batch
     */
    void addToSink(int part, int head, double gradient) {
        if (dSinks != null) {
            dSinks[part * shape.batch() * shape.heads() + head] += gradient;
        }
    }

    /** Makes the gradients, when all parts have their sums. */
    void add(AttentionKernels kernels, Workers workers) {
        for (int part = 1; part < dKeys.length; part++) {
            add(kernels, workers, dKeys[part], dKeys[0]);
            add(kernels, workers, dValues[part], dValues[0]);
        }
        if (dBias != null) {
            dBias.store();
        }
        storeSinks();
    }

    private static void add(AttentionKernels kernels, Workers workers, CpuArray part, CpuArray sum) {
        int chunks = sum.length / Block.ALIGNMENT;
        int pieces = Math.min(MAX_PIECES, Math.max(1, chunks));
        workers.run(pieces, piece -> {
            int from = Partition.start(chunks, piece, pieces) * Block.ALIGNMENT;
            int to = piece + 1 == pieces ? sum.length : Partition.start(chunks, piece + 1, pieces) * Block.ALIGNMENT;
            kernels.rows()
                    .addRows(1, part.floats, part.offset + from, 0, sum.floats, sum.offset + from, 0, 1, to - from);
        });
    }

    private void storeSinks() {
        if (dSinks == null || dSink == null) {
            return;
        }
        for (int head = 0; head < shape.heads(); head++) {
            double sum = 0;
            for (int i = head; i < dSinks.length; i += shape.heads()) {
                sum += dSinks[i];
            }
            dSink.floats[dSink.offset + head] = (float) sum;
        }
    }

    @Override
    public void close() {
        if (scope != null) {
            scope.close();
        }
    }
}
