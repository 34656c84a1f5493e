package org.fovea.backend.cpu;

import java.util.function.IntConsumer;
import org.fovea.backend.AttentionArguments;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShapes;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.DecodeShape;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.OutputGradients;
import org.jspecify.annotations.Nullable;

/** The CPU as a device: its operations run to their end before they return. */
final class CpuBackend extends CpuRl implements Backend {
    /** Pieces of a batch: enough for the cores of a desktop, few enough that gradients add up quickly. */
    private static final int SHARDS = 8;

    private final CpuAttention attention;

    CpuBackend(Kernels kernels, int threads) {
        super(kernels, new Workers(threads));
        attention = new CpuAttention(kernels.attention(), workers);
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return "cpu: " + kernels.description() + ", " + workers.threads()
                + (workers.threads() == 1 ? " thread" : " threads");
    }

    @Override
    public void attentionForward(
            AttentionShape shape, AttentionSpec spec, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        AttentionShapes.forward(shape, in, output, logSumExp);
        AttentionShapes.requirePlain("cpu", shape, spec, in);
        attention.forward(shape, spec, use(in), use(output), use(logSumExp));
    }

    @Override
    public void attentionBackward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        AttentionShapes.backward(shape, in, output, logSumExp, dOutput, dLogSumExp, gradients);
        AttentionShapes.requirePlain("cpu", shape, spec, in);
        attention.backward(
                shape,
                spec,
                use(in),
                use(output),
                use(logSumExp),
                use(dOutput),
                useIfPresent(dLogSumExp),
                use(gradients.query()),
                use(gradients.key()),
                use(gradients.value()));
    }

    @Override
    public void attentionTangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        AttentionShapes.tangent(shape, in, tangents, output, logSumExp, outputTangent, logSumExpTangent);
        AttentionShapes.requirePlain("cpu", shape, spec, in);
        attention.tangent(
                shape, spec, use(in), use(tangents), use(logSumExp), use(outputTangent), use(logSumExpTangent));
    }

    @Override
    public void attentionBackwardTangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            DeviceArray output,
            DeviceArray logSumExp,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            AttentionArguments gradientTangents) {
        AttentionShapes.backwardTangent(
                shape, in, tangents, output, logSumExp, gradients, outputTangent, logSumExpTangent, gradientTangents);
        AttentionShapes.requirePlain("cpu", shape, spec, in);
        attention.backwardTangent(
                shape,
                spec,
                use(in),
                use(tangents),
                use(logSumExp),
                new OutputGradientArrays(
                        use(gradients.dOutput()),
                        useIfPresent(gradients.dLogSumExp()),
                        useIfPresent(gradients.dOutputTangent()),
                        useIfPresent(gradients.dLogSumExpTangent())),
                use(outputTangent),
                use(logSumExpTangent),
                use(gradientTangents));
    }

    @Override
    public void attentionDecode(
            DecodeShape shape,
            AttentionSpec spec,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        AttentionShapes.decode(shape, spec, query, keyCache, valueCache, counts, newest, output);
        attention.decode(
                shape,
                (float) spec.scale(shape.headDim()),
                use(query),
                use(keyCache),
                use(valueCache),
                use(counts),
                newest,
                use(output));
    }

    private AttentionArrays use(AttentionInputs in) {
        return new AttentionArrays(
                use(in.query()),
                use(in.key()),
                use(in.value()),
                useIfPresent(in.querySegments()),
                useIfPresent(in.keySegments()),
                useIfPresent(in.keyLengths()));
    }

    private ArgumentArrays use(AttentionArguments arguments) {
        return new ArgumentArrays(use(arguments.query()), use(arguments.key()), use(arguments.value()));
    }

    private @Nullable CpuArray useIfPresent(@Nullable DeviceArray array) {
        return array == null ? null : use(array);
    }

    @Override
    public int shards(int units) {
        return Math.min(units, SHARDS);
    }

    @Override
    public void forEachShard(int count, IntConsumer body) {
        requireOpen();
        workers.run(count, body);
    }

    @Override
    public CapturedStep capture(Runnable body) {
        requireOpen();
        return steps.capture(body);
    }

    @Override
    public void synchronize() {
        requireOpen();
        steps.refuse("synchronize");
    }

    @Override
    public void close() {
        closeMemory();
        workers.close();
    }
}
