// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention;

import static org.fovea.backend.cuda.attention.series.CudaOperands.address;

import java.util.List;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.attention.series.CudaOperands;
import org.fovea.backend.cuda.attention.series.CudaSeries;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/**
 * Attention as kernel launches. Queries, keys, values and what has their layout may be F32, BF16 or F16. {@link
 * TensorCoreKernels} know what language models need; for all else there is {@link CudaSeries}.
 */
public final class CudaAttention implements AttentionOps {
    private final CudaMemory memory;
    private final TensorCoreKernels tensorCores;
    private final CudaSeries series;
    private final CudaDecode decode;

    public CudaAttention(CudaContext context, CudaMemory memory, CudaKernels kernels) {
        this.memory = memory;
        tensorCores = new TensorCoreKernels(context, kernels);
        series = new CudaSeries(memory, kernels);
        decode = new CudaDecode(context, memory, kernels);
    }

    @Override
    public long stateSize(AttentionCall<? extends DeviceArray> call) {
        return TensorCoreKernels.take(call) ? TensorCoreKernels.stateSize(call) : CudaSeries.stateSize(call);
    }

    @Override
    public void forward(AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> outputs) {
        AttentionChecks.forward(call, outputs, stateSize(call));
        CudaOperands operands = new CudaOperands(memory, "attention.forward");
        if (!TensorCoreKernels.take(call)) {
            series.forward(operands, call, outputs);
            return;
        }
        AttentionCall<CudaArray> in = operands.read(call);
        AttentionOutputs<CudaArray> out = operands.written(outputs);
        operands.requireApart();
        tensorCores.describe(in, out).logSumExp(out.logSumExp().address());
        DType storage = in.query().dtype();
        if (!tensorCores.launch(AttentionSchedule.Kind.FORWARD_WHOLE, in.shape(), storage)) {
            tensorCores.launch(AttentionSchedule.Kind.FORWARD, in.shape(), storage);
        }
    }

    @Override
    public void backward(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> gradients) {
        AttentionChecks.backward(call, outputs, stateSize(call), dOutputs, gradients);
        CudaOperands operands = new CudaOperands(memory, "attention.backward");
        if (!TensorCoreKernels.take(call)) {
            series.compute(
                    operands,
                    call,
                    SeriesRing.NUMBERS,
                    List.of(dOutputs.ofOutputs()),
                    List.of(gradients.ofInputs()),
                    outputs);
            return;
        }
        AttentionCall<CudaArray> in = operands.read(call);
        AttentionOutputs<CudaArray> out = operands.read(outputs);
        AttentionPlane<CudaArray> given = operands.read("gradient of ", dOutputs.ofOutputs());
        AttentionPlane<CudaArray> results = operands.written("gradient of ", gradients.ofInputs());
        operands.requireApart();
        AttentionShape shape = in.shape();
        DType storage = in.query().dtype();
        try (CudaScope scope = memory.openScope()) {
            long delta = scope.scratch(DType.F32, shape.logSumExpSize());
            Runnable describe = () -> tensorCores
                    .describe(in, out)
                    .dOutput(address(given.output()))
                    .dLogSumExp(address(given.logSumExp()))
                    .delta(delta)
                    .dQuery(address(results.query()))
                    .dKey(address(results.key()))
                    .dValue(address(results.value()));
            describe.run();
            if (!tensorCores.launch(AttentionSchedule.Kind.BACKWARD_WHOLE, shape, storage)) {
                tensorCores.launch(AttentionSchedule.Kind.BACKWARD_ROWS, shape, storage);
                describe.run();
                tensorCores.launch(AttentionSchedule.Kind.BACKWARD_COLUMNS, shape, storage);
            }
            if (results.sink() != null) {
                describe.run();
                tensorCores.launchSink(shape, results.sink());
            }
        }
    }

    @Override
    public void tangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> outputTangents) {
        AttentionChecks.tangent(call, outputs, stateSize(call), tangents, outputTangents);
        CudaOperands operands = new CudaOperands(memory, "attention.tangent");
        if (!TensorCoreKernels.take(call)) {
            series.compute(
                    operands,
                    call,
                    SeriesRing.taylor(1),
                    List.of(AttentionPlane.none(), tangents.ofInputs()),
                    List.of(AttentionPlane.none(), outputTangents.ofOutputs()),
                    outputs);
            return;
        }
        AttentionCall<CudaArray> in = operands.read(call);
        AttentionOutputs<CudaArray> out = operands.read(outputs);
        AttentionPlane<CudaArray> given = operands.read("tangent of ", tangents.ofInputs());
        AttentionPlane<CudaArray> results = operands.written("tangent of ", outputTangents.ofOutputs());
        operands.requireApart();
        tensorCores.describe(in, out, given, results);
        tensorCores.launch(AttentionSchedule.Kind.JVP, in.shape(), in.query().dtype());
    }

    @Override
    public void backwardTangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> results) {
        AttentionChecks.backwardTangent(call, outputs, stateSize(call), dOutputs, tangents, results);
        CudaOperands operands = new CudaOperands(memory, "attention.backwardTangent");
        if (!TensorCoreKernels.take(call)) {
            series.compute(
                    operands,
                    call,
                    SeriesRing.taylor(1),
                    List.of(dOutputs.ofOutputs(), tangents),
                    List.of(AttentionPlane.none(), results),
                    outputs);
            return;
        }
        AttentionCall<CudaArray> in = operands.read(call);
        AttentionOutputs<CudaArray> out = operands.read(outputs);
        AttentionPlane<CudaArray> value = operands.read("gradient of ", dOutputs.ofOutputs());
        AttentionPlane<CudaArray> tangent = operands.read("tangent of ", tangents);
        AttentionPlane<CudaArray> written = operands.written("tangent of ", results);
        operands.requireApart();
        AttentionShape shape = in.shape();
        DType storage = in.query().dtype();
        try (CudaScope scope = memory.openScope()) {
            long rows = shape.logSumExpSize();
            long rowBytes = rows * Float.BYTES;
            long deltas = scope.scratch(DType.F32, 4 * rows); // D and its tangent, and the two as they are fitted
            Runnable describe = () -> tensorCores
                    .describe(in, out, tangent, written)
                    .dOutput(address(value.output()))
                    .dLogSumExp(address(value.logSumExp()))
                    .dOutputTangent(address(tangent.output()))
                    .dLogSumExpTangent(address(tangent.logSumExp()))
                    .delta(deltas)
                    .deltaTangent(deltas + rowBytes)
                    .fittedDelta(deltas + 2 * rowBytes)
                    .fittedDeltaTangent(deltas + 3 * rowBytes)
                    .dQuery(address(written.query()))
                    .dKey(address(written.key()))
                    .dValue(address(written.value()));
            describe.run();
            if (!tensorCores.launch(AttentionSchedule.Kind.TANGENT_WHOLE, shape, storage)) {
                tensorCores.launch(AttentionSchedule.Kind.JVP, shape, storage);
                describe.run();
                tensorCores.launch(AttentionSchedule.Kind.TANGENT_ROWS, shape, storage);
                describe.run();
                tensorCores.launch(AttentionSchedule.Kind.TANGENT_COLUMNS, shape, storage);
            }
            if (written.sink() != null) {
                describe.run();
                tensorCores.launchSink(shape, written.sink());
            }
        }
    }

    @Override
    public void series(
            AttentionCall<DeviceArray> call,
            SeriesRing ring,
            List<AttentionPlane<DeviceArray>> arguments,
            List<AttentionPlane<DeviceArray>> results) {
        AttentionChecks.series(call, ring, arguments, results);
        series.compute(new CudaOperands(memory, "attention.series"), call, ring, arguments, results, null);
    }

    @Override
    public void weights(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        AttentionChecks.weights(call, outputs, stateSize(call), firstQuery, weights);
        series.weights(new CudaOperands(memory, "attention.weights"), call, stage, firstQuery, weights);
    }

    @Override
    public void decode(DecodeCall<DeviceArray> call, DeviceArray output) {
        decode.decode(call, output);
    }
}
