package org.fovea.cli.selftest;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.fovea.backend.AttentionArguments;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionOutputs;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.AttentionSpec.Alignment;
import org.fovea.backend.DType;
import org.fovea.backend.DecodeShape;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.OutputGradients;
import org.fovea.cli.selftest.NaiveAttention.Arrays3;
import org.jspecify.annotations.Nullable;

/** Attention under every kind of mask, its gradient, the tangents of both, and decoding. */
final class AttentionChecks {
    private static final int[][] SIZES = {{1, 1, 1, 1, 1, 1}, {2, 3, 13, 17, 6, 5}, {1, 2, 33, 31, 16, 16}};
    private static final int[][] DEEP_SIZES = {
        {1, 1, 1, 1, 1, 1},
        {2, 3, 13, 17, 6, 5},
        {3, 2, 97, 207, 33, 31},
        {1, 2, 130, 130, 64, 64},
        {1, 1, 65, 129, 128, 256}
    };

    /** Where a derivative at 0 is taken from, by the rule of four points: the error is of the order of their fourth power. */
    private static final double[] STEPS = {1e-3, -1e-3, 2e-3, -2e-3};

    /** Rows that share a segment. */
    private static final int SEGMENT = 5;

    private AttentionChecks() {}

    static List<Check> all() {
        return List.of(
                new Check("attention", t -> problems(t).forEach(Problem::forward)),
                new Check("attention in 16 bits", t -> problems(t).forEach(Problem::halves)),
                new Check("attention's gradient", t -> problems(t).forEach(Problem::backward)),
                new Check("attention's tangents", t -> problems(t).forEach(Problem::tangents)),
                new Check("decoding", AttentionChecks::decode));
    }

    private static List<Problem> problems(Trial t) {
        List<Problem> problems = new ArrayList<>();
        for (int[] s : t.choose(SIZES, DEEP_SIZES)) {
            for (int mask = 0; mask < 6; mask++) {
                AttentionShape.Layout layout = mask % 2 == 0 ? AttentionShape.Layout.BHND : AttentionShape.Layout.BNHD;
                AttentionShape shape = new AttentionShape(s[0], s[1], s[2], s[3], s[4], s[5], layout);
                AttentionSpec spec = switch (mask) {
                    case 1 -> AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT);
                    case 2 ->
                        AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT).withWindow(4, 0);
                    case 3 -> AttentionSpec.DEFAULT.withWindow(2, 3).withScale(0.3);
                    default -> AttentionSpec.DEFAULT;
                };
                problems.add(new Problem(t, shape, spec, mask == 4, mask == 5));
            }
        }
        return problems;
    }

    /** An attention on the device and beside it. */
    private static final class Problem {
        private final Trial t;
        private final AttentionShape shape;
        private final AttentionSpec spec;
        private final NaiveAttention naive;
        private final Arrays3 in;

        Problem(Trial t, AttentionShape shape, AttentionSpec spec, boolean segments, boolean lengths) {
            this.t = t;
            this.shape = shape;
            this.spec = spec;
            naive = new NaiveAttention(
                    shape,
                    spec,
                    segments ? segments(shape.batch(), shape.queries()) : null,
                    segments ? segments(shape.batch(), shape.keys()) : null,
                    lengths ? lengths(shape) : null);
            in = normal();
        }

        private static int[] segments(int batch, int rows) {
            int[] segments = new int[batch * rows];
            Arrays.setAll(segments, i -> i % rows / SEGMENT);
            return segments;
        }

        /** All keys, then a third fewer for each row of the batch. */
        private static int[] lengths(AttentionShape shape) {
            int[] lengths = new int[shape.batch()];
            Arrays.setAll(lengths, b -> shape.keys() * Math.max(0, 3 - b) / 3);
            return lengths;
        }

        private Arrays3 normal() {
            return new Arrays3(t.normal((int) shape.querySize()), t.normal((int) shape.keySize()), t.normal((int)
                    shape.valueSize()));
        }

        private AttentionInputs inputs(DType type) {
            return new AttentionInputs(
                    t.floats(type, in.query()),
                    t.floats(type, in.key()),
                    t.floats(type, in.value()),
                    ints(naive.querySegments()),
                    ints(naive.keySegments()),
                    ints(naive.lengths()));
        }

        private @Nullable DeviceArray ints(int @Nullable [] values) {
            return values == null ? null : t.ints(values);
        }

        private String name(String what) {
            return what + " of " + shape + ", " + spec + (naive.querySegments() == null ? "" : ", segments")
                    + (naive.lengths() == null ? "" : ", lengths");
        }

        /** Those of a probability, from its score and from the sum over the keys, and of what is made of it. */
        private double roundings() {
            double dim = Math.sqrt(shape.headDim());
            double score = 4 * spec.scale(shape.headDim()) * shape.headDim() * dim;
            double sums = Math.sqrt(shape.keys() + shape.queries()) + shape.valueDim() + 8;
            // Roundings of factors are independent, and add up to far less than as many times the largest.
            return t.ofProducts(4 * (score + sums), 16 * Math.max(1, spec.scale(shape.headDim()) * dim));
        }

        /** To be written by a forward pass, and differentiated. */
        private AttentionOutputs outputs(AttentionInputs inputs) {
            return new AttentionOutputs(
                            t.output(inputs.query().dtype(), shape.outputSize()), t.output(shape.logSumExpSize()))
                    .withState(t.backend(), shape, spec, inputs, t::output);
        }

        void forward() {
            NaiveAttention.Output expected = naive.forward(in);
            AttentionInputs inputs = inputs(t.backend().floatType());
            AttentionOutputs out = outputs(inputs);
            t.backend().attentionForward(shape, spec, inputs, out);
            t.near(name("output"), out.output(), expected.output(), roundings());
            t.near(name("log-sum-exp"), out.logSumExp(), expected.logSumExp(), roundings());
            t.discard();
        }

        /** Arithmetic is in float32: the result differs by the rounding of the inputs, of probabilities, and its own. */
        void halves() {
            NaiveAttention.Output expected = naive.forward(in);
            for (DType type : List.of(DType.BF16, DType.F16)) {
                double unit = type == DType.BF16 ? 0x1p-8 : 0x1p-11;
                DeviceArray output = t.output(type, shape.outputSize());
                DeviceArray logSumExp = t.output(shape.logSumExpSize());
                t.backend().attentionForward(shape, spec, inputs(type), new AttentionOutputs(output, logSumExp));
                double roundings = 8 * Math.sqrt(shape.headDim()) * spec.scale(shape.headDim()) * 4;
                t.near(name(type + " output"), output, expected.output(), (8 + roundings) * unit / Trial.UNIT);
                t.discard();
            }
        }

        void backward() {
            double[] dOutput = t.normal((int) shape.outputSize());
            double[] dLogSumExp = t.normal((int) shape.logSumExpSize());
            Arrays3 expected = naive.backward(in, dOutput, dLogSumExp);
            AttentionInputs inputs = inputs(t.backend().floatType());
            AttentionOutputs out = outputs(inputs);
            AttentionArguments gradients = gradients();
            t.backend().attentionForward(shape, spec, inputs, out);
            t.backend().attentionBackward(shape, spec, inputs, out, t.floats(dOutput), t.floats(dLogSumExp), gradients);
            near("gradient", gradients, expected);
            t.discard();
        }

        private AttentionArguments gradients() {
            return new AttentionArguments(
                    t.output(shape.querySize()), t.output(shape.keySize()), t.output(shape.valueSize()));
        }

        private void near(String what, AttentionArguments found, Arrays3 expected) {
            t.near(name(what + " for the query"), found.query(), expected.query(), 4 * roundings());
            t.near(name(what + " for the key"), found.key(), expected.key(), 4 * roundings());
            t.near(name(what + " for the value"), found.value(), expected.value(), 4 * roundings());
        }

        /** Against the slope of the naive forward and backward along the tangents. */
        void tangents() {
            double[] dOutput = t.normal((int) shape.outputSize());
            double[] dLogSumExp = t.normal((int) shape.logSumExpSize());
            double[] dOutputTangent = t.normal(dOutput.length);
            double[] dLogSumExpTangent = t.normal(dLogSumExp.length);
            Arrays3 tangents = normal();
            List<NaiveAttention.Output> forward = new ArrayList<>();
            List<Arrays3> backward = new ArrayList<>();
            for (double step : STEPS) {
                Arrays3 moved = in.plus(step, tangents);
                forward.add(naive.forward(moved));
                backward.add(naive.backward(
                        moved,
                        NaiveAttention.plus(dOutput, step, dOutputTangent),
                        NaiveAttention.plus(dLogSumExp, step, dLogSumExpTangent)));
            }

            AttentionInputs inputs = inputs(t.backend().floatType());
            AttentionOutputs out = outputs(inputs);
            DeviceArray outputTangent = t.output(shape.outputSize());
            DeviceArray logSumExpTangent = t.output(shape.logSumExpSize());
            AttentionArguments direction = new AttentionArguments(
                    t.floats(tangents.query()), t.floats(tangents.key()), t.floats(tangents.value()));
            AttentionArguments gradientTangents = gradients();
            OutputGradients gradients = new OutputGradients(
                    t.floats(dOutput), t.floats(dLogSumExp), t.floats(dOutputTangent), t.floats(dLogSumExpTangent));
            t.backend().attentionForward(shape, spec, inputs, out);

            double[] slope = slope(forward, NaiveAttention.Output::output);
            double[] logSlope = slope(forward, point -> finite(point.logSumExp()));
            t.backend().attentionTangent(shape, spec, inputs, direction, out, outputTangent, logSumExpTangent);
            t.near(name("tangent of the output"), outputTangent, slope, 8 * roundings());
            t.near(name("tangent of the log-sum-exp"), logSumExpTangent, logSlope, 8 * roundings());
            t.backend()
                    .attentionBackwardTangent(
                            shape,
                            spec,
                            inputs,
                            direction,
                            out,
                            gradients,
                            outputTangent,
                            logSumExpTangent,
                            gradientTangents);
            t.near(name("tangent of the output"), outputTangent, slope, 8 * roundings());
            near(
                    "gradient's tangent",
                    gradientTangents,
                    new Arrays3(
                            slope(backward, Arrays3::query),
                            slope(backward, Arrays3::key),
                            slope(backward, Arrays3::value)));
            t.discard();
        }

        /** Rows that see nothing stay as they are. */
        private static double[] finite(double[] values) {
            return Arrays.stream(values).map(x -> Double.isFinite(x) ? x : 0).toArray();
        }

        /** The derivative at 0 from the points at {@link #STEPS}; its error is far below float32's. */
        private static <P> double[] slope(List<P> points, Function<P, double[]> part) {
            List<double[]> at = points.stream().map(part).toList();
            double[] slope = new double[at.get(0).length];
            Arrays.setAll(
                    slope, i -> (8 * (at.get(0)[i] - at.get(1)[i]) - (at.get(2)[i] - at.get(3)[i])) / (12 * STEPS[0]));
            return slope;
        }
    }

    /** A ring of keys and values of which each row of the batch has filled a part. */
    private static void decode(Trial t) {
        for (int[] s : t.choose(
                new int[][] {{3, 2, 7, 6, 5}, {5, 4, 33, 16, 16}},
                new int[][] {{3, 2, 7, 6, 5}, {64, 4, 207, 64, 64}})) {
            DecodeShape shape = new DecodeShape(s[0], s[1], s[2], s[3], s[4]);
            AttentionSpec spec = AttentionSpec.DEFAULT;
            double[] query = t.normal(shape.batch() * shape.heads() * shape.headDim());
            double[] keys = t.normal(shape.batch() * shape.capacity() * shape.heads() * shape.headDim());
            double[] values = t.normal(shape.batch() * shape.capacity() * shape.heads() * shape.valueDim());
            int[] counts = t.integers(shape.batch(), shape.capacity() + 1);
            counts[0] = 0;
            counts[1] = shape.capacity();
            int newest = shape.capacity() / 3;
            DeviceArray output = t.output((long) shape.batch() * shape.heads() * shape.valueDim());
            t.backend()
                    .attentionDecode(
                            shape,
                            spec,
                            t.floats(query),
                            t.floats(keys),
                            t.floats(values),
                            t.ints(counts),
                            newest,
                            output);
            double[] expected = decoded(shape, spec.scale(shape.headDim()), query, keys, values, counts, newest);
            t.near("output of " + shape, output, expected, 16.0 * shape.headDim() + shape.capacity());
        }
    }

    private static double[] decoded(
            DecodeShape s, double scale, double[] query, double[] keys, double[] values, int[] counts, int newest) {
        double[] output = new double[s.batch() * s.heads() * s.valueDim()];
        for (int row = 0; row < s.batch() * s.heads(); row++) {
            int b = row / s.heads();
            int h = row % s.heads();
            double[] weights = new double[counts[b]];
            double sum = 0;
            for (int back = 0; back < counts[b]; back++) {
                int slot = Math.floorMod(newest - back, s.capacity());
                int key = ((b * s.capacity() + slot) * s.heads() + h) * s.headDim();
                double score = 0;
                for (int d = 0; d < s.headDim(); d++) {
                    score += query[row * s.headDim() + d] * keys[key + d];
                }
                weights[back] = Math.exp(scale * score);
                sum += weights[back];
            }
            for (int back = 0; back < counts[b]; back++) {
                int slot = Math.floorMod(newest - back, s.capacity());
                int value = ((b * s.capacity() + slot) * s.heads() + h) * s.valueDim();
                for (int d = 0; d < s.valueDim(); d++) {
                    output[row * s.valueDim() + d] += weights[back] / sum * values[value + d];
                }
            }
        }
        return output;
    }
}
