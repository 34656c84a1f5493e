package org.fovea.backend.cpu.attention.series;

import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.attention.OutputGradients;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.kernels.DoubleKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** Every form of attention as one over series; see {@link SeriesAttention}. */
public final class CpuSeries {
    private static final SeriesRing DUAL = SeriesRing.infinitesimals(1);

    private final Workers workers;
    private final DoubleKernels kernels;
    private final Function<DeviceArray, CpuArray> use;

    @SuppressWarnings("ThreadLocalUsage") // one for each thread of one backend, as is its scratch
    private final ThreadLocal<@Nullable SeriesTile> tiles = new ThreadLocal<>();

    /** @param use finds the array behind an operand */
    public CpuSeries(DoubleKernels kernels, Workers workers, Function<DeviceArray, CpuArray> use) {
        this.kernels = kernels;
        this.workers = workers;
        this.use = use;
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#series}. */
    public void run(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results) {
        attention(shape, spec, in, ring, arguments, results).run();
    }

    private SeriesAttention attention(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results) {
        return new SeriesAttention(
                workers,
                kernels,
                tiles,
                shape,
                spec,
                SeriesInputs.of(in, use),
                ring,
                SeriesArrays.of(arguments, use).at(in, use),
                SeriesArrays.of(results, use),
                in.bias());
    }

    public void forward(
            AttentionShape shape, AttentionSpec spec, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        run(shape, spec, in, SeriesRing.NUMBERS, List.of(AttentionPlane.NONE), List.of(outputs(output, logSumExp)));
    }

    public void backward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        run(
                shape,
                spec,
                in,
                SeriesRing.NUMBERS,
                List.of(outputs(dOutput, dLogSumExp)),
                List.of(plane(gradients, null, null)));
    }

    public void tangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        run(
                shape,
                spec,
                in,
                DUAL,
                List.of(AttentionPlane.NONE, plane(tangents, null, null)),
                List.of(AttentionPlane.NONE, outputs(outputTangent, logSumExpTangent)));
    }

    public void backwardTangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            AttentionArguments gradientTangents) {
        run(
                shape,
                spec,
                in,
                DUAL,
                List.of(
                        outputs(gradients.dOutput(), gradients.dLogSumExp()),
                        plane(tangents, gradients.dOutputTangent(), gradients.dLogSumExpTangent())),
                List.of(AttentionPlane.NONE, plane(gradientTangents, outputTangent, logSumExpTangent)));
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#weights}. */
    public void weights(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        List<AttentionPlane> none = Collections.singletonList(AttentionPlane.NONE);
        attention(shape, spec, in, SeriesRing.NUMBERS, none, none).weights(stage, firstQuery, use.apply(weights));
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#decode}. */
    public void decode(
            DecodeShape shape,
            AttentionSpec spec,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        WideDecode decode = new WideDecode(
                shape,
                spec,
                use.apply(query),
                use.apply(keyCache),
                use.apply(valueCache),
                use.apply(counts),
                newest,
                use.apply(output));
        workers.run(shape.batch(), decode::row);
    }

    private static AttentionPlane outputs(DeviceArray output, @Nullable DeviceArray logSumExp) {
        return new AttentionPlane(null, null, null, null, null, output, logSumExp);
    }

    private static AttentionPlane plane(
            AttentionArguments a, @Nullable DeviceArray output, @Nullable DeviceArray logSumExp) {
        return new AttentionPlane(a.query(), a.key(), a.value(), a.bias(), a.sink(), output, logSumExp);
    }
}
