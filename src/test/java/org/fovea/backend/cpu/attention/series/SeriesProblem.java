// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/** An attention over series with everything it reads, drawn from a seed, that can be run on several backends. */
final class SeriesProblem {
    final AttentionShape shape;
    AttentionSpec spec;
    final SeriesRing ring;
    private final Random random;

    /** Arguments by name and plane, as in {@code query.0}. */
    final Map<String, double[]> numbers = new LinkedHashMap<>();

    final Map<String, int[]> integers = new LinkedHashMap<>();
    private int @Nullable [] biasExtents;
    private int @Nullable [] maskExtents;

    SeriesProblem(AttentionShape shape, AttentionSpec spec, SeriesRing ring, long seed) {
        this.shape = shape;
        this.spec = spec;
        this.ring = ring;
        random = new Random(seed);
        draw("query", shape.querySize());
        draw("key", shape.keySize());
        draw("value", shape.valueSize());
        draw("output", shape.outputSize());
        draw("logSumExp", shape.logSumExpSize());
    }

    /** Draws every plane, but leaves out some of those that may be missing. */
    private void draw(String name, long size) {
        for (int p = 0; p < ring.planes(); p++) {
            if (p == 0 || random.nextInt(3) > 0) {
                numbers.put(name + '.' + p, gaussians(size));
            }
        }
    }

    private double[] gaussians(long size) {
        double[] x = new double[(int) size];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.nextGaussian();
        }
        return x;
    }

    SeriesProblem withBias(boolean batch, boolean heads, boolean queries, boolean keys) {
        biasExtents = extents(batch, heads, queries, keys);
        draw("bias", size(biasExtents));
        return this;
    }

    SeriesProblem withMask(boolean batch, boolean heads, boolean queries, boolean keys) {
        maskExtents = extents(batch, heads, queries, keys);
        double[] mask = gaussians(size(maskExtents));
        for (int i = 0; i < mask.length; i++) {
            mask[i] = random.nextInt(4) == 0 ? Double.NEGATIVE_INFINITY : mask[i];
        }
        numbers.put("mask", mask);
        return this;
    }

    private int[] extents(boolean batch, boolean heads, boolean queries, boolean keys) {
        return new int[] {
            batch ? shape.batch() : 1, heads ? shape.heads() : 1, queries ? shape.queries() : 1, keys ? shape.keys() : 1
        };
    }

    private static long size(int[] extents) {
        return (long) extents[0] * extents[1] * extents[2] * extents[3];
    }

    SeriesProblem withSink() {
        draw("sink", shape.heads());
        return this;
    }

    SeriesProblem withAlibi() {
        numbers.put("alibi", gaussians(shape.heads()));
        return this;
    }

    SeriesProblem withSegments() {
        integers.put("querySegments", runs(shape.queries()));
        integers.put("keySegments", runs(shape.keys()));
        return this;
    }

    private int[] runs(int rows) {
        int[] runs = new int[shape.batch() * rows];
        for (int i = 0; i < runs.length; i++) {
            runs[i] = i % rows == 0 ? 0 : runs[i - 1] + (random.nextInt(6) == 0 ? 1 : 0);
        }
        return runs;
    }

    SeriesProblem withLengths() {
        integers.put(
                "keyLengths", random.ints(shape.batch(), -2, shape.keys() + 3).toArray());
        return this;
    }

    SeriesProblem withSequences(int[] ofQueries, int[] ofKeys) {
        integers.put("querySequences", ofQueries);
        integers.put("keySequences", ofKeys);
        return this;
    }

    /** Every result by name and plane, of a backend that holds the inputs in {@code type}. */
    Map<String, double[]> run(Backend backend, DType type, boolean gradients) {
        Map<String, double[]> results = new LinkedHashMap<>();
        try (Scope scope = backend.memory().openScope()) {
            Map<String, DeviceArray> arrays = upload(backend, scope, type);
            List<AttentionPlane<DeviceArray>> given = new ArrayList<>();
            List<AttentionPlane<DeviceArray>> wanted = new ArrayList<>();
            Map<String, DeviceArray> outputs = new LinkedHashMap<>();
            for (int p = 0; p < ring.planes(); p++) {
                given.add(new AttentionPlane<>(
                        arrays.get("query." + p),
                        arrays.get("key." + p),
                        arrays.get("value." + p),
                        arrays.get("bias." + p),
                        arrays.get("sink." + p),
                        arrays.get("output." + p),
                        arrays.get("logSumExp." + p)));
                for (String part : List.of("query", "key", "value", "bias", "sink", "output", "logSumExp")) {
                    double[] like = numbers.get(part + ".0");
                    if (like != null && (gradients || part.equals("output") || part.equals("logSumExp"))) {
                        DeviceArray array = scope.allocate(type, like.length);
                        backend.memory().fill(array, Double.NaN);
                        outputs.put(part + '.' + p, array);
                    }
                }
                wanted.add(new AttentionPlane<>(
                        outputs.get("query." + p),
                        outputs.get("key." + p),
                        outputs.get("value." + p),
                        outputs.get("bias." + p),
                        outputs.get("sink." + p),
                        outputs.get("output." + p),
                        outputs.get("logSumExp." + p)));
            }
            backend.attention().series(call(arrays), ring, given, wanted);
            outputs.forEach((name, array) -> {
                double[] values = new double[(int) array.length()];
                backend.memory().download(array, values, 0);
                results.put(name, values);
            });
        }
        return results;
    }

    /** Scores or probabilities of some queries, in float64. */
    double[] weights(Backend backend, ScoreStage stage, int firstQuery, int queries) {
        double[] values = new double[shape.batch() * shape.heads() * queries * shape.keys()];
        try (Scope scope = backend.memory().openScope()) {
            AttentionCall<DeviceArray> call = call(upload(backend, scope, DType.F64));
            AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(
                    scope.allocate(DType.F64, shape.outputSize()), scope.allocate(DType.F64, shape.logSumExpSize()));
            backend.attention().forward(call, out);
            DeviceArray weights = scope.allocate(DType.F64, values.length);
            backend.memory().fill(weights, Double.NaN);
            backend.attention().weights(call, out, stage, firstQuery, weights);
            backend.memory().download(weights, values, 0);
        }
        return values;
    }

    private Map<String, DeviceArray> upload(Backend backend, Scope scope, DType type) {
        Map<String, DeviceArray> arrays = new LinkedHashMap<>();
        numbers.forEach((name, values) -> {
            DeviceArray array = scope.allocate(type, values.length);
            backend.memory().upload(values, 0, array);
            arrays.put(name, array);
        });
        integers.forEach((name, values) -> {
            DeviceArray array = scope.allocate(DType.I32, values.length);
            backend.memory().upload(values, 0, array);
            arrays.put(name, array);
        });
        return arrays;
    }

    private AttentionCall<DeviceArray> call(Map<String, DeviceArray> arrays) {
        AttentionMask<DeviceArray> mask = new AttentionMask<>(
                term(arrays.get("mask"), maskExtents),
                arrays.get("alibi"),
                arrays.get("querySegments"),
                arrays.get("keySegments"),
                arrays.get("keyLengths"),
                arrays.get("querySequences"),
                arrays.get("keySequences"));
        return AttentionCall.of(shape, spec, arrays.get("query.0"), arrays.get("key.0"), arrays.get("value.0"))
                .withBias(term(arrays.get("bias.0"), biasExtents))
                .withSink(arrays.get("sink.0"))
                .withMask(mask);
    }

    private static @Nullable ScoreBias<DeviceArray> term(@Nullable DeviceArray array, int @Nullable [] extents) {
        return array == null || extents == null
                ? null
                : new ScoreBias<>(array, extents[0], extents[1], extents[2], extents[3]);
    }

    @Override
    public String toString() {
        return shape + " " + spec + " " + ring + " " + numbers.keySet() + " " + integers.keySet();
    }
}
