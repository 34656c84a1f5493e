package org.fovea.backend.cpu;

import java.util.List;
import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.attention.OutputGradients;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.attention.fused.ArgumentArrays;
import org.fovea.backend.cpu.attention.fused.AttentionArrays;
import org.fovea.backend.cpu.attention.fused.CpuAttention;
import org.fovea.backend.cpu.attention.fused.FloatArrays;
import org.fovea.backend.cpu.attention.fused.FusedAttention;
import org.fovea.backend.cpu.attention.fused.OutputGradientArrays;
import org.fovea.backend.cpu.attention.fused.ScoreRange;
import org.fovea.backend.cpu.attention.series.CpuSeries;
import org.fovea.backend.cpu.attention.series.ScoreReader;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.CpuRl;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.RlOps;
import org.jspecify.annotations.Nullable;

/** The CPU as a device: its operations run to their end before they return. */
public final class CpuBackend extends CpuRl implements Backend, AttentionOps {

    @Override
    public Memory memory() {
        return this;
    }

    @Override
    public MathOps math() {
        return this;
    }

    @Override
    public AttentionOps attention() {
        return this;
    }

    @Override
    public RlOps rl() {
        return this;
    }

    /** Pieces of a batch: enough for the cores of a desktop, few enough that gradients add up quickly. */
    private static final int SHARDS = 8;

    private final CpuAttention attention;
    private final CpuSeries series;

    public CpuBackend(Kernels kernels, int threads) {
        super(kernels, new Workers(threads));
        attention = new CpuAttention(kernels.attention(), workers, this::openScope);
        series = new CpuSeries(kernels.doubles(), workers, this::hold);
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
    public long stateSize(AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        return CpuAttention.supports(shape, spec, in)
                ? FusedAttention.stateSize(shape, in.query().dtype().isHalf())
                : 0;
    }

    @Override
    public void forward(AttentionShape shape, AttentionSpec spec, AttentionInputs in, AttentionOutputs out) {
        AttentionChecks.forward(shape, in, out, stateSize(shape, spec, in));
        try (FloatArrays floats = new FloatArrays(openScope(), workers)) {
            FusedAttention fused = fused(shape, spec, in, floats);
            if (fused == null) {
                series.forward(shape, spec, in, out.output(), out.logSumExp());
            } else {
                fused.forward(hold(out.output()), use(out.logSumExp()), useIfPresent(out.state()));
            }
        }
    }

    @Override
    public void backward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionOutputs out,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        AttentionChecks.backward(shape, in, out, stateSize(shape, spec, in), dOutput, dLogSumExp, gradients);
        try (FloatArrays floats = new FloatArrays(openScope(), workers)) {
            FusedAttention fused = fused(shape, spec, in, floats);
            if (fused == null) {
                series.backward(shape, spec, in, dOutput, dLogSumExp, gradients);
            } else {
                fused.backward(
                        hold(out.output()), state(out), hold(dOutput), useIfPresent(dLogSumExp), use(gradients, in));
            }
        }
    }

    @Override
    public void tangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        AttentionChecks.tangent(shape, in, tangents, out, stateSize(shape, spec, in), outputTangent, logSumExpTangent);
        try (FloatArrays floats = new FloatArrays(openScope(), workers)) {
            FusedAttention fused = fused(shape, spec, in, floats);
            if (fused == null) {
                series.tangent(shape, spec, in, tangents, outputTangent, logSumExpTangent);
            } else {
                fused.tangent(use(tangents, in), state(out), hold(outputTangent), use(logSumExpTangent));
            }
        }
    }

    @Override
    public void backwardTangent(
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
        try (FloatArrays floats = new FloatArrays(openScope(), workers)) {
            FusedAttention fused = fused(shape, spec, in, floats);
            if (fused == null) {
                series.backwardTangent(
                        shape, spec, in, tangents, gradients, outputTangent, logSumExpTangent, gradientTangents);
            } else {
                fused.backwardTangent(
                        use(tangents, in),
                        hold(out.output()),
                        state(out),
                        new OutputGradientArrays(
                                hold(gradients.dOutput()),
                                useIfPresent(gradients.dLogSumExp()),
                                holdIfPresent(gradients.dOutputTangent()),
                                useIfPresent(gradients.dLogSumExpTangent())),
                        hold(outputTangent),
                        use(logSumExpTangent),
                        use(gradientTangents, in));
            }
        }
    }

    @Override
    public void series(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results) {
        AttentionChecks.series(shape, in, ring, arguments, results);
        series.run(shape, spec, in, ring, arguments, results);
    }

    @Override
    public void weights(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionOutputs out,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        AttentionChecks.weights(shape, in, out, stateSize(shape, spec, in), firstQuery, weights);
        series.weights(shape, spec, in, stage, firstQuery, weights);
    }

    @Override
    public void decode(
            DecodeShape shape,
            AttentionSpec spec,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        AttentionChecks.decode(shape, spec, query, keyCache, valueCache, counts, newest, output);
        if (query.dtype() != DType.F32 || spec.similarity() != AttentionSpec.Similarity.DOT || spec.softcap() != 0) {
            series.decode(shape, spec, query, keyCache, valueCache, counts, newest, output);
            return;
        }
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

    /** Of outputs that were checked to have one, unless it is as empty as they are. */
    private CpuArray state(AttentionOutputs out) {
        return use(out.state() == null ? out.logSumExp() : out.state());
    }

    /** By float32 kernels; null if these don't know all that is asked for, or have not the range for it. */
    private @Nullable FusedAttention fused(
            AttentionShape shape, AttentionSpec spec, AttentionInputs in, FloatArrays floats) {
        if (!CpuAttention.supports(shape, spec, in)) {
            return null;
        }
        AttentionArrays arrays = use(in);
        boolean modest = in.isPlain() || ScoreRange.isModest(shape, spec, arrays);
        return modest ? FusedAttention.of(attention, workers, shape, spec, arrays, floats) : null;
    }

    private AttentionArrays use(AttentionInputs in) {
        ScoreBias bias = in.bias();
        ScoreBias mask = in.mask();
        return new AttentionArrays(
                hold(in.query()),
                hold(in.key()),
                hold(in.value()),
                bias == null ? null : new ScoreReader(use(bias.array()), bias),
                useIfPresent(in.sink()),
                mask == null ? null : new ScoreReader(use(mask.array()), mask),
                useIfPresent(in.alibiSlopes()),
                useIfPresent(in.querySegments()),
                useIfPresent(in.keySegments()),
                useIfPresent(in.keyLengths()),
                useIfPresent(in.querySequences()),
                useIfPresent(in.keySequences()));
    }

    private ArgumentArrays use(AttentionArguments arguments, AttentionInputs in) {
        ScoreBias extents = in.bias();
        DeviceArray bias = arguments.bias();
        return new ArgumentArrays(
                hold(arguments.query()),
                hold(arguments.key()),
                hold(arguments.value()),
                bias == null || extents == null ? null : new ScoreReader(use(bias), extents),
                useIfPresent(arguments.sink()));
    }

    private @Nullable CpuArray useIfPresent(@Nullable DeviceArray array) {
        return array == null ? null : use(array);
    }

    private @Nullable CpuArray holdIfPresent(@Nullable DeviceArray array) {
        return array == null ? null : hold(array);
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
