package org.fovea.backend.cuda.attention;

import static org.fovea.backend.cuda.attention.series.CudaOperands.address;

import java.util.List;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.attention.series.CudaOperands;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.params.AttentionParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/** The tangents of attention and of its backward as kernel launches. */
public final class CudaTangents extends CudaDecode {
    public CudaTangents(CudaContext context, CudaMemory memory, Kernels kernels) {
        super(context, memory, kernels);
    }

    @Override
    public final void tangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> outputTangents) {
        AttentionChecks.tangent(call, outputs, stateSize(call), tangents, outputTangents);
        CudaOperands operands = new CudaOperands(memory, "attentionTangent");
        if (!isForTensorCores(call)) {
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
        describe(in, out, given, results);
        launch(AttentionSchedule.Kind.JVP, in.shape(), in.query().dtype());
    }

    @Override
    public final void backwardTangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> results) {
        AttentionChecks.backwardTangent(call, outputs, stateSize(call), dOutputs, tangents, results);
        CudaOperands operands = new CudaOperands(memory, "attentionBackwardTangent");
        if (!isForTensorCores(call)) {
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
        try (Scope scope = openScope()) {
            long rows = shape.logSumExpSize();
            long deltas = ((CudaArray) scope.allocate(DType.F32, 2 * rows)).address(); // D, and then its tangent
            Runnable describe = () -> describe(in, out, tangent, written)
                    .dOutput(address(value.output()))
                    .dLogSumExp(address(value.logSumExp()))
                    .dOutputTangent(address(tangent.output()))
                    .dLogSumExpTangent(address(tangent.logSumExp()))
                    .delta(deltas)
                    .deltaTangent(deltas + rows * Float.BYTES)
                    .dQuery(address(written.query()))
                    .dKey(address(written.key()))
                    .dValue(address(written.value()));
            describe.run();
            if (!launch(AttentionSchedule.Kind.TANGENT_WHOLE, shape, storage)) {
                launch(AttentionSchedule.Kind.JVP, shape, storage);
                describe.run();
                launch(AttentionSchedule.Kind.TANGENT_ROWS, shape, storage);
                describe.run();
                launch(AttentionSchedule.Kind.TANGENT_COLUMNS, shape, storage);
            }
            if (written.sink() != null) {
                describe.run();
                launchSink(shape, written.sink());
            }
        }
    }

    private AttentionParams describe(
            AttentionCall<CudaArray> call,
            AttentionOutputs<CudaArray> out,
            AttentionPlane<CudaArray> tangents,
            AttentionPlane<CudaArray> outputTangents) {
        return describe(call, out)
                .queryTangent(address(tangents.query()))
                .keyTangent(address(tangents.key()))
                .valueTangent(address(tangents.value()))
                .sinkTangent(address(tangents.sink()))
                .outputTangent(address(outputTangents.output()))
                .logSumExpTangent(address(outputTangents.logSumExp()));
    }
}
