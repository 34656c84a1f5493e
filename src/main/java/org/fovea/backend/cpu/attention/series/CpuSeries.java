// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.List;
import java.util.function.IntConsumer;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.kernels.DoubleKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/** Every form of attention as one over series; see {@link SeriesAttention}. */
public final class CpuSeries {
    private final Workers workers;
    private final DoubleKernels kernels;

    @SuppressWarnings("ThreadLocalUsage") // one for each thread of one backend, as is its scratch
    private final ThreadLocal<@Nullable SeriesTile> tiles = new ThreadLocal<>();

    @SuppressWarnings("ThreadLocalUsage") // likewise
    private final ThreadLocal<double[]> decodeScratch = ThreadLocal.withInitial(() -> new double[0]);

    public CpuSeries(DoubleKernels kernels, Workers workers) {
        this.kernels = kernels;
        this.workers = workers;
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#series}. */
    public void run(
            AttentionCall<CpuArray> call,
            SeriesRing ring,
            List<AttentionPlane<CpuArray>> arguments,
            List<AttentionPlane<CpuArray>> results) {
        new SeriesAttention(workers, kernels, tiles, call, ring, arguments, results).run();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#weights}. */
    public void weights(AttentionCall<CpuArray> call, ScoreStage stage, int firstQuery, CpuArray weights) {
        List<AttentionPlane<CpuArray>> none = List.of(AttentionPlane.none());
        new SeriesAttention(workers, kernels, tiles, call, SeriesRing.NUMBERS, none, none)
                .weights(stage, firstQuery, weights);
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#decode}, as often as it is run. */
    public Runnable decode(DecodeCall<CpuArray> call, CpuArray output) {
        WideDecode decode = new WideDecode(call, output, decodeScratch);
        IntConsumer row = decode::row;
        return () -> workers.run(call.shape().batch(), row);
    }
}
