// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention;

import java.util.List;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.attention.fused.FloatArrays;
import org.fovea.backend.cpu.attention.fused.FusedAttention;
import org.fovea.backend.cpu.attention.fused.FusedPasses;
import org.fovea.backend.cpu.attention.series.CpuSeries;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.CpuMemory;
import org.fovea.backend.cpu.memory.RecordedSteps;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * Attention on the CPU: operands are checked and their arrays found here, once; then {@link FusedAttention} computes what
 * float32 kernels can, and {@link CpuSeries} the rest.
 */
public final class CpuAttention implements AttentionOps {
    private static final SeriesRing DUAL = SeriesRing.infinitesimals(1);

    private final CpuMemory memory;
    private final Workers workers;
    private final RecordedSteps steps;
    private final FusedPasses passes;
    private final CpuSeries series;

    public CpuAttention(CpuMemory memory, Kernels kernels, Workers workers) {
        this.memory = memory;
        this.workers = workers;
        this.steps = memory.steps();
        passes = new FusedPasses(kernels.attention(), workers, memory::openScope);
        series = new CpuSeries(kernels.doubles(), workers);
    }

    @Override
    public long stateSize(AttentionCall<? extends DeviceArray> call) {
        return FusedAttention.supports(call) ? FusedAttention.stateSize(call) : 0;
    }

    @Override
    public void forward(AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> out) {
        AttentionChecks.forward(call, out, stateSize(call));
        AttentionCall<CpuArray> own = own(call);
        CpuArray output = own(call, out.output());
        CpuArray logSumExp = own(call, out.logSumExp());
        CpuArray state = out.state() == null ? null : own(call, out.state());
        steps.run(() -> forward(own, output, logSumExp, state));
    }

    /** How an attention is computed depends on its numbers. */
    private void forward(AttentionCall<CpuArray> own, CpuArray output, CpuArray logSumExp, @Nullable CpuArray state) {
        try (FloatArrays floats = new FloatArrays(memory.openScope(), workers)) {
            FusedAttention fused = FusedAttention.of(passes, workers, own, floats);
            if (fused == null) {
                AttentionPlane<CpuArray> results = AttentionPlane.outputs(output, logSumExp);
                series.run(own, SeriesRing.NUMBERS, List.of(AttentionPlane.none()), List.of(results));
            } else {
                fused.forward(output, logSumExp, state);
            }
        }
    }

    @Override
    public void backward(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> gradients) {
        steps.cannotRecord();
        AttentionChecks.backward(call, out, stateSize(call), dOutputs, gradients);
        AttentionCall<CpuArray> own = own(call);
        AttentionPlane<CpuArray> given = own(call, dOutputs.ofOutputs());
        AttentionPlane<CpuArray> results = own(call, gradients.ofInputs());
        try (FloatArrays floats = new FloatArrays(memory.openScope(), workers)) {
            FusedAttention fused = FusedAttention.of(passes, workers, own, floats);
            if (fused == null) {
                series.run(own, SeriesRing.NUMBERS, List.of(given), List.of(results));
            } else {
                fused.backward(own(call, out.output()), state(call, out), given, results);
            }
        }
    }

    @Override
    public void tangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> outputTangents) {
        steps.cannotRecord();
        AttentionChecks.tangent(call, out, stateSize(call), tangents, outputTangents);
        AttentionCall<CpuArray> own = own(call);
        AttentionPlane<CpuArray> given = own(call, tangents.ofInputs());
        AttentionPlane<CpuArray> results = own(call, outputTangents.ofOutputs());
        try (FloatArrays floats = new FloatArrays(memory.openScope(), workers)) {
            FusedAttention fused = FusedAttention.of(passes, workers, own, floats);
            if (fused == null) {
                series.run(own, DUAL, List.of(AttentionPlane.none(), given), List.of(AttentionPlane.none(), results));
            } else {
                fused.tangent(state(call, out), given, results);
            }
        }
    }

    @Override
    public void backwardTangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> results) {
        steps.cannotRecord();
        AttentionChecks.backwardTangent(call, out, stateSize(call), dOutputs, tangents, results);
        AttentionCall<CpuArray> own = own(call);
        AttentionPlane<CpuArray> value = own(call, dOutputs.ofOutputs());
        AttentionPlane<CpuArray> tangent = own(call, tangents);
        AttentionPlane<CpuArray> written = own(call, results);
        try (FloatArrays floats = new FloatArrays(memory.openScope(), workers)) {
            FusedAttention fused = FusedAttention.of(passes, workers, own, floats);
            if (fused == null) {
                series.run(own, DUAL, List.of(value, tangent), List.of(AttentionPlane.none(), written));
            } else {
                fused.backwardTangent(own(call, out.output()), state(call, out), value, tangent, written);
            }
        }
    }

    @Override
    public void series(
            AttentionCall<DeviceArray> call,
            SeriesRing ring,
            List<AttentionPlane<DeviceArray>> arguments,
            List<AttentionPlane<DeviceArray>> results) {
        steps.cannotRecord();
        AttentionChecks.series(call, ring, arguments, results);
        series.run(own(call), ring, own(call, arguments), own(call, results));
    }

    @Override
    public void weights(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        steps.cannotRecord();
        AttentionChecks.weights(call, out, stateSize(call), firstQuery, weights);
        series.weights(own(call), stage, firstQuery, own(call, weights));
    }

    @Override
    public void decode(DecodeCall<DeviceArray> call, DeviceArray output) {
        AttentionChecks.decode(call, output);
        DecodeCall<CpuArray> own = call.map(memory::hold);
        AttentionSpec spec = call.spec();
        boolean plain = spec.similarity() == AttentionSpec.Similarity.DOT && spec.softcap() == 0;
        if (plain && call.query().dtype() == DType.F32) {
            steps.run(passes.decode(own, memory.hold(output)));
        } else {
            steps.run(series.decode(own, memory.hold(output)));
        }
    }

    /** The array behind an operand: of the query's type, or of one that every operation computes with. */
    private CpuArray own(AttentionCall<DeviceArray> call, DeviceArray array) {
        return array.dtype() == call.query().dtype() ? memory.hold(array) : memory.use(array);
    }

    private AttentionCall<CpuArray> own(AttentionCall<DeviceArray> call) {
        return call.map(x -> own(call, x));
    }

    private AttentionPlane<CpuArray> own(AttentionCall<DeviceArray> call, AttentionPlane<DeviceArray> plane) {
        return plane.map(x -> own(call, x));
    }

    private List<AttentionPlane<CpuArray>> own(
            AttentionCall<DeviceArray> call, List<AttentionPlane<DeviceArray>> planes) {
        return planes.stream().map(plane -> own(call, plane)).toList();
    }

    /** Of outputs that were checked to have one, unless it is as empty as they are. */
    private CpuArray state(AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> out) {
        return own(call, out.state() == null ? out.logSumExp() : out.state());
    }
}
