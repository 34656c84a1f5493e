package org.fovea.backend.cuda.attention;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.OutputGradients;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.attention.series.CudaSeries;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.params.AttentionParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/** The tangents of attention and of its backward as kernel launches. */
public abstract class CudaTangents extends CudaDecode {
    protected CudaTangents(CudaContext context) {
        super(context);
    }

    @Override
    public final void tangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        AttentionChecks.tangent(shape, in, tangents, out, stateSize(shape, spec, in), outputTangent, logSumExpTangent);
        if (!isForTensorCores(spec, in)) {
            series.compute(
                    new CudaSeries.Problem("attentionTangent", shape, spec, in),
                    SeriesRing.taylor(1),
                    List.of(AttentionPlane.NONE, arguments(tangents)),
                    List.of(AttentionPlane.NONE, outputs(outputTangent, logSumExpTangent)),
                    out);
            return;
        }
        Operands operands = new Operands("attentionTangent");
        operands.reads(in, tangents, out);
        operands.writes(outputTangent, logSumExpTangent);
        operands.check();
        describe(operands.operation, shape, spec, in, tangents, out)
                .outputTangent(address(outputTangent))
                .logSumExpTangent(address(logSumExpTangent));
        launch(AttentionSchedule.Kind.JVP, shape, out.output().dtype());
    }

    @Override
    public final void backwardTangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            AttentionArguments gradientTangents) {
        AttentionChecks.backwardTangent(
                shape,
                in,
                tangents,
                out,
                stateSize(shape, spec, in),
                gradients,
                outputTangent,
                logSumExpTangent,
                gradientTangents);
        if (!isForTensorCores(spec, in)) {
            series.compute(
                    new CudaSeries.Problem("attentionBackwardTangent", shape, spec, in),
                    SeriesRing.taylor(1),
                    List.of(
                            outputs(gradients.dOutput(), gradients.dLogSumExp()),
                            new AttentionPlane(
                                    tangents.query(),
                                    tangents.key(),
                                    tangents.value(),
                                    tangents.bias(),
                                    tangents.sink(),
                                    gradients.dOutputTangent(),
                                    gradients.dLogSumExpTangent())),
                    List.of(
                            AttentionPlane.NONE,
                            new AttentionPlane(
                                    gradientTangents.query(),
                                    gradientTangents.key(),
                                    gradientTangents.value(),
                                    gradientTangents.bias(),
                                    gradientTangents.sink(),
                                    outputTangent,
                                    logSumExpTangent)),
                    out);
            return;
        }
        Operands operands = new Operands("attentionBackwardTangent");
        operands.reads(in, tangents, out);
        operands.reads(gradients.dOutput(), gradients.dLogSumExp());
        operands.reads(gradients.dOutputTangent(), gradients.dLogSumExpTangent());
        operands.writes(outputTangent, logSumExpTangent);
        operands.writes(gradientTangents.query(), gradientTangents.key(), gradientTangents.value());
        operands.writes(gradientTangents.sink());
        operands.check();
        DType storage = out.output().dtype();
        try (Scope scope = openScope()) {
            DeviceArray deltas = scope.allocate(DType.F32, 2 * shape.logSumExpSize()); // D, and then its tangent
            Runnable describe = () -> describe(operands.operation, shape, spec, in, tangents, out)
                    .outputTangent(address(outputTangent))
                    .logSumExpTangent(address(logSumExpTangent))
                    .dOutput(address(gradients.dOutput()))
                    .dLogSumExp(address(gradients.dLogSumExp()))
                    .dOutputTangent(address(gradients.dOutputTangent()))
                    .dLogSumExpTangent(address(gradients.dLogSumExpTangent()))
                    .delta(address(deltas))
                    .deltaTangent(address(deltas) + shape.logSumExpSize() * Float.BYTES)
                    .dQuery(address(gradientTangents.query()))
                    .dKey(address(gradientTangents.key()))
                    .dValue(address(gradientTangents.value()));
            describe.run();
            if (!launch(AttentionSchedule.Kind.TANGENT_WHOLE, shape, storage)) {
                launch(AttentionSchedule.Kind.JVP, shape, storage);
                describe.run();
                launch(AttentionSchedule.Kind.TANGENT_ROWS, shape, storage);
                describe.run();
                launch(AttentionSchedule.Kind.TANGENT_COLUMNS, shape, storage);
            }
            if (gradientTangents.sink() != null) {
                describe.run();
                launchSink(shape, floats(operands.operation, "sink", gradientTangents.sink()));
            }
        }
    }

    private AttentionParams describe(
            String operation,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out) {
        return describe(operation, shape, spec, in, out)
                .queryTangent(address(tangents.query()))
                .keyTangent(address(tangents.key()))
                .valueTangent(address(tangents.value()))
                .sinkTangent(address(tangents.sink()));
    }

    /** Of an array that was checked. */
    private static long address(@Nullable DeviceArray array) {
        return array == null ? 0 : ((CudaArray) array).address();
    }

    /** What an operation reads and writes. */
    private final class Operands {
        private final String operation;
        private final List<CudaArray> read = new ArrayList<>();
        private final List<CudaArray> written = new ArrayList<>();

        Operands(String operation) {
            this.operation = operation;
        }

        void reads(AttentionInputs in, AttentionArguments tangents, AttentionOutputs out) {
            reads(in.query(), in.key(), in.value(), in.sink());
            reads(tangents.query(), tangents.key(), tangents.value(), tangents.sink());
            reads(out.output(), out.state());
        }

        void reads(@Nullable DeviceArray... arrays) {
            for (DeviceArray array : arrays) {
                if (array != null) {
                    read.add(floating(operation, "an input", array));
                }
            }
        }

        void writes(@Nullable DeviceArray... arrays) {
            for (DeviceArray array : arrays) {
                if (array != null) {
                    written.add(floating(operation, "an output", array));
                }
            }
        }

        /** No output shares elements with an input or with another output. */
        void check() {
            for (int i = 0; i < written.size(); i++) {
                requireApart(operation, written.get(i), read.toArray(new CudaArray[0]));
                requireApart(operation, written.get(i), written.subList(0, i).toArray(new CudaArray[0]));
            }
        }
    }
}
