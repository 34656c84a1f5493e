// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention.series;

import java.util.List;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.jspecify.annotations.Nullable;

/**
 * Attention over rings of series, in all its forms, by the general kernels of {@code kernels/series/series.cuh}.
 */
public final class CudaSeries {
    private final CudaMemory memory;
    private final SeriesKernels kernels;

    public CudaSeries(CudaMemory memory, CudaKernels kernels) {
        this.memory = memory;
        this.kernels = new SeriesKernels(kernels);
    }

    /** Elements of the state of an attention: the two parts of the log-sum-exps, and the output before it was rounded. */
    public static long stateSize(AttentionCall<? extends DeviceArray> call) {
        AttentionShape shape = call.shape();
        return 2 * shape.logSumExpSize() + (call.query().dtype().isHalf() ? shape.outputSize() : 0);
    }

    /** Outputs of plane 0, with their state. */
    public void forward(CudaOperands operands, AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> out) {
        AttentionCall<CudaArray> in = operands.read(call);
        AttentionOutputs<CudaArray> written = operands.written(out);
        AttentionPlane<CudaArray> results = AttentionPlane.outputs(written.output(), written.logSumExp());
        operands.requireApart();
        run(in, SeriesRing.NUMBERS, List.of(AttentionPlane.none()), List.of(results), null, written.state());
    }

    /** All of {@code results} that is there, from {@code arguments} and, if they are given, outputs of plane 0. */
    public void compute(
            CudaOperands operands,
            AttentionCall<DeviceArray> call,
            SeriesRing ring,
            List<AttentionPlane<DeviceArray>> arguments,
            List<AttentionPlane<DeviceArray>> results,
            @Nullable AttentionOutputs<DeviceArray> out) {
        if (ring.planes() > SeriesTiling.MAX_PLANES) {
            int highest = new SeriesRing(ring.mixed(), SeriesTiling.MAX_PLANES).order();
            throw new UnsupportedOnBackendException(
                    "cuda",
                    operands.operation()
                            + (ring.mixed() ? " along " : " of order ")
                            + ring.order()
                            + (ring.mixed() ? " directions, where " : ", where ")
                            + highest
                            + (ring.mixed() ? " are the most," : " is the highest,"));
        }
        AttentionCall<CudaArray> in = operands.read(call);
        List<AttentionPlane<CudaArray>> given =
                arguments.stream().map(plane -> operands.read("", plane)).toList();
        AttentionOutputs<CudaArray> known = out == null ? null : operands.read(out);
        List<AttentionPlane<CudaArray>> wanted =
                results.stream().map(plane -> operands.written("", plane)).toList();
        operands.requireApart();
        run(in, ring, given, wanted, known, known == null ? null : known.state());
    }

    private void run(
            AttentionCall<CudaArray> call,
            SeriesRing ring,
            List<AttentionPlane<CudaArray>> arguments,
            List<AttentionPlane<CudaArray>> results,
            @Nullable AttentionOutputs<CudaArray> known,
            @Nullable CudaArray state) {
        try (CudaScope scope = memory.openScope()) {
            new SeriesComputation(kernels, call, ring, arguments, results, scope).run(known, state);
        }
    }

    /** The stages of {@link org.fovea.backend.attention.AttentionOps#weights}. */
    public void weights(
            CudaOperands operands,
            AttentionCall<DeviceArray> call,
            ScoreStage stage,
            int firstQuery,
            DeviceArray result) {
        AttentionShape shape = call.shape();
        AttentionCall<CudaArray> in = operands.read(call);
        CudaArray written = operands.written("weights", result);
        operands.requireApart();
        if (written.length() == 0) {
            return;
        }
        long heads = (long) shape.batch() * shape.heads();
        int asked = (int) (written.length() / heads / shape.keys());
        try (CudaScope scope = memory.openScope()) {
            List<AttentionPlane<CudaArray>> none = List.of(AttentionPlane.none());
            SeriesComputation computation = new SeriesComputation(kernels, in, SeriesRing.NUMBERS, none, none, scope);
            computation.normalizeRows();
            SeriesTiling tiling = SeriesTiling.forScores(
                    1, SeriesTiling.ANY_ROWS, call.spec().softcap() > 0, computation.longestDim(), false);
            if (stage == ScoreStage.SOFTMAX) {
                computation.findNormalizers(firstQuery, asked);
            }
            computation
                    .describe(tiling)
                    .weights(written.address())
                    .firstQuery(firstQuery)
                    .asked(asked)
                    .stage(stage.ordinal());
            long blocks = heads * tiling.tiles(asked) * tiling.tiles(shape.keys());
            kernels.launch(kernels.weights, tiling, blocks);
        }
    }
}
