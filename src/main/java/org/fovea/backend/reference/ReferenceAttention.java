package org.fovea.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.attention.OutputGradients;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * Attention by {@link SeriesAttention}: of ordinary numbers, with one infinitesimal for tangents, or of any series. Output and
 * log-sum-exp that a gradient is given are computed afresh, so that it says nothing on how these came about.
 */
public abstract class ReferenceAttention extends ReferenceRows {
    private static final SeriesRing DUAL = SeriesRing.infinitesimals(1);

    private final @Nullable DType rounded;

    private final double factors;

    /**
     * @param rounded null, or a type of storage; then attention gives bounds of errors in place of results
     * @param factors what those of each product are then off by, in units of rounding
     */
    ReferenceAttention(DType floatType, @Nullable DType rounded, double factors) {
        super(floatType);
        this.rounded = rounded;
        this.factors = factors;
    }

    @Override
    public final void forward(AttentionShape shape, AttentionSpec spec, AttentionInputs in, AttentionOutputs out) {
        AttentionChecks.forward(shape, in, out, stateSize(shape, spec, in));
        AttentionPlane wanted = new AttentionPlane(null, null, null, null, null, out.output(), out.logSumExp());
        compute(shape, spec, in, SeriesRing.NUMBERS, List.of(AttentionPlane.NONE), List.of(wanted));
    }

    @Override
    public final void backward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionOutputs out,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        AttentionChecks.backward(shape, in, out, stateSize(shape, spec, in), dOutput, dLogSumExp, gradients);
        use(out.output());
        use(out.logSumExp());
        AttentionPlane given = new AttentionPlane(null, null, null, null, null, dOutput, dLogSumExp);
        compute(shape, spec, in, SeriesRing.NUMBERS, List.of(given), List.of(plane(gradients, null, null)));
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
        use(out.output());
        use(out.logSumExp());
        AttentionPlane wanted = new AttentionPlane(null, null, null, null, null, outputTangent, logSumExpTangent);
        compute(
                shape,
                spec,
                in,
                DUAL,
                List.of(AttentionPlane.NONE, plane(tangents, null, null)),
                List.of(AttentionPlane.NONE, wanted));
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
        use(out.output());
        use(out.logSumExp());
        AttentionPlane value =
                new AttentionPlane(null, null, null, null, null, gradients.dOutput(), gradients.dLogSumExp());
        AttentionPlane tangent = plane(tangents, gradients.dOutputTangent(), gradients.dLogSumExpTangent());
        AttentionPlane wanted = plane(gradientTangents, outputTangent, logSumExpTangent);
        compute(shape, spec, in, DUAL, List.of(value, tangent), List.of(AttentionPlane.NONE, wanted));
    }

    private static AttentionPlane plane(
            AttentionArguments x, @Nullable DeviceArray output, @Nullable DeviceArray logSumExp) {
        return new AttentionPlane(x.query(), x.key(), x.value(), x.bias(), x.sink(), output, logSumExp);
    }

    @Override
    public final void series(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results) {
        AttentionChecks.series(shape, in, ring, arguments, results);
        compute(shape, spec, in, ring, arguments, results);
    }

    private void compute(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results) {
        SeriesAttention attention = new SeriesAttention(
                        this, shape, spec, in, new Series.Arithmetic(ring, rounded, factors), arguments, null)
                .forward();
        Series[] dOutput = attention.zeros(shape.outputSize());
        Series[] dLogSumExp = attention.zeros(shape.logSumExpSize());
        for (int p = 0; p < ring.planes(); p++) {
            attention.load(dOutput, p, arguments.get(p).output());
            attention.load(dLogSumExp, p, arguments.get(p).logSumExp());
            store(attention.output, p, results.get(p).output());
            storeWide(attention.logSumExp, p, results.get(p).logSumExp());
        }
        if (results.stream().noneMatch(AttentionPlane::hasArguments)) {
            return;
        }
        SeriesGradients gradients = new SeriesGradients(attention, dOutput, dLogSumExp);
        @Nullable Series[] query = gradients.query();
        @Nullable Series[] key = gradients.key();
        for (int p = 0; p < ring.planes(); p++) {
            store(query, p, results.get(p).query());
            store(key, p, results.get(p).key());
            store(gradients.value, p, results.get(p).value());
            storeWide(gradients.bias, p, results.get(p).bias());
            storeWide(gradients.sink, p, results.get(p).sink());
        }
    }

    /** Of results in the type of storage. */
    private void store(@Nullable Series[] values, int plane, @Nullable DeviceArray array) {
        if (array != null) {
            storeWide(
                    Arrays.stream(values)
                            .map(x -> x == null ? null : x.stored())
                            .toArray(Series[]::new),
                    plane,
                    array);
        }
    }

    /** Of results in the type of the arithmetic. */
    private void storeWide(@Nullable Series[] values, int plane, @Nullable DeviceArray array) {
        if (array != null) {
            ReferenceArray to = use(array);
            for (int i = 0; i < values.length; i++) {
                Series value = values[i];
                to.set(i, value == null ? 0 : result(value, plane));
            }
        }
    }

    private double result(Series value, int plane) {
        return rounded == null ? value.plane(plane) : value.error(plane);
    }

    private Series.Arithmetic numbers() {
        return new Series.Arithmetic(SeriesRing.NUMBERS, rounded, factors);
    }

    static void store(double[] values, ReferenceArray to) {
        for (int i = 0; i < values.length; i++) {
            to.set(i, values[i]);
        }
    }

    @Override
    public final void weights(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionOutputs out,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        AttentionChecks.weights(shape, in, out, stateSize(shape, spec, in), firstQuery, weights);
        use(out.logSumExp());
        ReferenceArray to = use(weights);
        int keys = shape.keys();
        int heads = shape.batch() * shape.heads();
        int asked = to.size() == 0 ? 0 : to.size() / (heads * keys);
        SeriesAttention attention =
                new SeriesAttention(this, shape, spec, in, numbers(), List.of(AttentionPlane.NONE), null);
        attention.forEachRow(row -> {
            int nth = row.i - firstQuery;
            int start = ((row.b * shape.heads() + row.h) * asked + nth) * keys;
            for (int j = 0; nth >= 0 && nth < asked && j < keys; j++) {
                Series weight = attention.weight(row, j, stage);
                to.set(start + j, result(weight, 0));
            }
        });
    }

    /** One query against the slots of a ring buffer that are not older than {@code counts}. */
    @Override
    public final void decode(
            DecodeShape shape,
            AttentionSpec spec,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        AttentionChecks.decode(shape, spec, query, keyCache, valueCache, counts, newest, output);
        ReferenceArray count = use(counts);
        AttentionShape oneQuery = new AttentionShape(
                shape.batch(),
                shape.heads(),
                1,
                shape.capacity(),
                shape.headDim(),
                shape.valueDim(),
                AttentionShape.Layout.BNHD);
        SeriesAttention attention = new SeriesAttention(
                this,
                oneQuery,
                spec,
                AttentionInputs.of(query, keyCache, valueCache),
                numbers(),
                List.of(AttentionPlane.NONE),
                (b, h, i, slot) -> Math.floorMod(newest - slot, shape.capacity()) < count.integer(b));
        store(attention.forward().output, 0, output);
    }
}
