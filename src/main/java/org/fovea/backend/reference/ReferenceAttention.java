// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * Attention by {@link NaiveSeriesAttention}: of ordinary numbers, with one infinitesimal for tangents, or of any series. Output and
 * log-sum-exp that a gradient is given are computed afresh, so that it says nothing on how these came about.
 */
final class ReferenceAttention implements AttentionOps {
    private static final SeriesRing DUAL = SeriesRing.infinitesimals(1);

    private final ReferenceMemory memory;
    /** Of one plane; if it is rounded, results have bounds of their errors. */
    Series.Arithmetic numbers = Series.Arithmetic.EXACT;

    ReferenceAttention(ReferenceMemory memory) {
        this.memory = memory;
    }

    @Override
    public void forward(AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> out) {
        AttentionChecks.forward(call, out, stateSize(call));
        AttentionPlane<DeviceArray> wanted = AttentionPlane.outputs(out.output(), out.logSumExp());
        compute(call, SeriesRing.NUMBERS, List.of(AttentionPlane.none()), List.of(wanted));
    }

    @Override
    public void backward(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> gradients) {
        AttentionChecks.backward(call, out, stateSize(call), dOutputs, gradients);
        memory.use(out.output());
        memory.use(out.logSumExp());
        compute(call, SeriesRing.NUMBERS, List.of(dOutputs), List.of(gradients.ofInputs()));
    }

    @Override
    public void tangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> outputTangents) {
        AttentionChecks.tangent(call, out, stateSize(call), tangents, outputTangents);
        memory.use(out.output());
        memory.use(out.logSumExp());
        AttentionPlane<DeviceArray> wanted = outputTangents.ofOutputs();
        compute(call, DUAL, List.of(AttentionPlane.none(), tangents), List.of(AttentionPlane.none(), wanted));
    }

    @Override
    public void backwardTangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> results) {
        AttentionChecks.backwardTangent(call, out, stateSize(call), dOutputs, tangents, results);
        memory.use(out.output());
        memory.use(out.logSumExp());
        compute(call, DUAL, List.of(dOutputs, tangents), List.of(AttentionPlane.none(), results));
    }

    @Override
    public void series(
            AttentionCall<DeviceArray> call,
            SeriesRing ring,
            List<AttentionPlane<DeviceArray>> arguments,
            List<AttentionPlane<DeviceArray>> results) {
        AttentionChecks.series(call, ring, arguments, results);
        compute(call, ring, arguments, results);
    }

    private void compute(
            AttentionCall<DeviceArray> call,
            SeriesRing ring,
            List<AttentionPlane<DeviceArray>> arguments,
            List<AttentionPlane<DeviceArray>> results) {
        AttentionShape shape = call.shape();
        boolean backward = results.stream().anyMatch(AttentionPlane::hasInputs);
        List<NaiveSeriesAttention.Row> rows = new ArrayList<>();
        NaiveSeriesAttention attention = new NaiveSeriesAttention(memory, call, numbers.over(ring), arguments, null)
                .forward(row -> {
                    if (backward) {
                        rows.add(row);
                    }
                });
        Series[] dOutput = attention.zeros(shape.outputSize());
        Series[] dLogSumExp = attention.zeros(shape.logSumExpSize());
        for (int p = 0; p < ring.planes(); p++) {
            attention.load(dOutput, p, arguments.get(p).output());
            attention.load(dLogSumExp, p, arguments.get(p).logSumExp());
            store(attention.output, p, results.get(p).output());
            storeWide(attention.logSumExp, p, results.get(p).logSumExp());
        }
        if (!backward) {
            return;
        }
        SeriesGradients gradients = new SeriesGradients(attention, rows, dOutput, dLogSumExp);
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
            ReferenceArray to = memory.use(array);
            for (int i = 0; i < values.length; i++) {
                set(to, i, values[i], plane);
            }
        }
    }

    private void set(ReferenceArray to, int at, @Nullable Series value, int plane) {
        to.set(at, value == null ? 0 : value.plane(plane));
        if (numbers.rounded() != null) {
            to.setError(at, value == null ? 0 : value.error(plane));
        }
    }

    @Override
    public void weights(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        AttentionChecks.weights(call, out, stateSize(call), firstQuery, weights);
        AttentionShape shape = call.shape();
        memory.use(out.logSumExp());
        ReferenceArray to = memory.use(weights);
        int keys = shape.keys();
        int heads = shape.batch() * shape.heads();
        int asked = to.size() == 0 ? 0 : to.size() / (heads * keys);
        NaiveSeriesAttention attention =
                new NaiveSeriesAttention(memory, call, numbers, List.of(AttentionPlane.none()), null);
        attention.forEachQuery(firstQuery, firstQuery + asked, (b, h, i) -> {
            int start = ((b * shape.heads() + h) * asked + i - firstQuery) * keys;
            IntFunction<Series> row = attention.weights(b, h, i, stage);
            for (int j = 0; j < keys; j++) {
                set(to, start + j, row.apply(j), 0);
            }
        });
    }

    /** One query against the slots of a ring buffer that are not older than {@code counts}. */
    @Override
    public void decode(DecodeCall<DeviceArray> call, DeviceArray output) {
        AttentionChecks.decode(call, output);
        DecodeShape shape = call.shape();
        ReferenceArray count = memory.use(call.counts());
        ReferenceArray newest = memory.use(call.positions());
        AttentionShape oneQuery = new AttentionShape(
                shape.batch(),
                shape.heads(),
                1,
                shape.capacity(),
                shape.headDim(),
                shape.valueDim(),
                AttentionShape.Layout.BNHD);
        NaiveSeriesAttention attention = new NaiveSeriesAttention(
                memory,
                AttentionCall.of(oneQuery, call.spec(), call.query(), call.keyCache(), call.valueCache()),
                numbers,
                List.of(AttentionPlane.none()),
                (b, h, i, slot) -> Math.floorMod(newest.integer(b) - slot, shape.capacity()) < count.integer(b));
        store(attention.forward(row -> {}).output, 0, output);
    }
}
