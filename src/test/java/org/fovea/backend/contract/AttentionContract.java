package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.Pair;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Attention under every mask, and its gradient. */
interface AttentionContract extends ContractFixture {

    /** A problem's shape and masks. */
    record Case(
            AttentionShape shape,
            AttentionSpec spec,
            boolean segments,
            @Nullable List<Integer> lengths) {}

    private static List<AttentionSpec> specs() {
        List<AttentionSpec> specs = new ArrayList<>();
        for (AttentionSpec.Alignment alignment : AttentionSpec.Alignment.values()) {
            AttentionSpec aligned = AttentionSpec.DEFAULT.withAlignment(alignment);
            specs.add(aligned.withCausal(alignment));
            specs.add(aligned.withWindow(2, 1));
            specs.add(aligned.withWindow(3, AttentionSpec.UNLIMITED));
            specs.add(aligned.withWindow(AttentionSpec.UNLIMITED, 0));
            specs.add(aligned.withWindow(4, AttentionSpec.UNLIMITED).withCausal(alignment));
            specs.add(aligned.withWindow(0, 0).withScale(0.3f));
        }
        specs.add(AttentionSpec.DEFAULT);
        return specs;
    }

    static AttentionShape shape(int batch, int heads, int queries, int keys, int d, int dv, boolean bnhd) {
        return new AttentionShape(
                batch, heads, queries, keys, d, dv, bnhd ? AttentionShape.Layout.BNHD : AttentionShape.Layout.BHND);
    }

    /** Every mask on shapes with more, fewer and as many keys as queries. */
    static List<Case> masks() {
        List<Case> cases = new ArrayList<>();
        for (AttentionSpec spec : specs()) {
            int index = cases.size();
            boolean bnhd = index % 2 == 0;
            cases.add(new Case(shape(2, 3, 13, 13, 6, 6, bnhd), spec, false, null));
            cases.add(new Case(shape(3, 2, 7, 17, 5, 3, bnhd), spec, true, List.of(17, 9, 0)));
            cases.add(new Case(shape(3, 1, 33, 6, 16, 17, !bnhd), spec, false, List.of(-4, 99, 3)));
            cases.add(new Case(shape(2, 2, 31, 33, 8, 8, !bnhd), spec, true, null));
        }
        return cases;
    }

    static List<Case> sizes() {
        int[][] sizes = {
            {1, 1, 1, 1, 1, 1},
            {1, 1, 1, 97, 64, 64},
            {2, 1, 97, 1, 31, 2},
            {1, 2, 97, 207, 33, 13},
            {1, 1, 65, 129, 128, 64},
            {2, 4, 64, 64, 32, 32},
            {1, 1, 3, 5, 256, 256},
            {1, 2, 130, 130, 16, 16}
        };
        List<Case> cases = new ArrayList<>();
        for (int[] s : sizes) {
            for (boolean bnhd : new boolean[] {false, true}) {
                AttentionShape shape = shape(s[0], s[1], s[2], s[3], s[4], s[5], bnhd);
                cases.add(new Case(shape, AttentionSpec.DEFAULT, false, null));
                AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.BOTTOM_RIGHT);
                cases.add(new Case(shape, causal, false, null));
            }
        }
        return cases;
    }

    /** The arrays of a case on both backends. */
    final class Problem {
        final Pair p;
        final Case c;
        final DType type;
        final AttentionShape s;
        final Pair.Both query;
        final Pair.Both key;
        final Pair.Both value;
        final Pair.@Nullable Both querySegments;
        final Pair.@Nullable Both keySegments;
        final Pair.@Nullable Both lengths;
        final Pair.Both output;
        final Pair.Both logSumExp;
        private final Pair.Outputs outputs;

        Problem(Pair p, Case c) {
            this(p, c, p.tested.memory().floatType());
        }

        Problem(Pair p, Case c, DType type) {
            this(p, c, type, Pair.normal((int) c.shape.keySize(), 2), Pair.normal((int) c.shape.valueSize(), 3));
        }

        /** @param type of query, key, value, output, their gradients and their tangents */
        Problem(Pair p, Case c, DType type, double[] keys, double[] values) {
            this.p = p;
            this.c = c;
            this.type = type;
            s = c.shape;
            query = p.floats(type, Pair.normal((int) s.querySize(), 1));
            key = p.floats(type, keys);
            value = p.floats(type, values);
            querySegments = c.segments ? p.ints(segments(s.batch(), s.queries(), 5)) : null;
            keySegments = c.segments ? p.ints(segments(s.batch(), s.keys(), 6)) : null;
            lengths = c.lengths == null
                    ? null
                    : p.ints(c.lengths.stream().mapToInt(Integer::intValue).toArray());
            output = p.output(type, s.outputSize());
            logSumExp = p.output(s.logSumExpSize());
            outputs = p.new Outputs(output, logSumExp);
        }

        private static int[] segments(int batch, int rows, long seed) {
            Random random = new Random(seed);
            int[] ids = new int[batch * rows];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = i % rows == 0 ? 0 : ids[i - 1] + (random.nextInt(4) == 0 ? 1 : 0);
            }
            return ids;
        }

        AttentionCall<DeviceArray> on(Backend b) {
            AttentionMask<Pair.Both> mask =
                    new AttentionMask<>(null, null, querySegments, keySegments, lengths, null, null);
            return AttentionCall.of(s, c.spec, query, key, value).withMask(mask).map(x -> x.on(b));
        }

        AttentionOutputs<DeviceArray> outputs(Backend b) {
            return outputs.on(b, on(b));
        }

        void forward() {
            p.run(b -> b.attention().forward(on(b), outputs(b)));
        }

        /** Largest sum of magnitudes that a score can be made of. */
        private double scoreSize() {
            double rows = Math.sqrt(s.headDim()) * largestFinite(query) * Math.sqrt(s.headDim()) * largestFinite(key);
            return Math.abs(c.spec.scale(s.headDim())) * rows;
        }

        /** Relative error of a probability, in units of rounding: that of its score and of the sum over keys. */
        double probability() {
            return 2 * scoreSize() * (Math.sqrt(s.headDim()) + 2) / Math.sqrt(s.headDim()) + Math.sqrt(s.keys()) + 4;
        }

        /**
         * Units of rounding that a result's bound, times {@code terms}, is off by because the type of storage is a short one:
         * each factor of its last product is rounded to it, and the result is. F16 also underflows, by up to 2^-25.
         */
        double rounding(double bound, double terms) {
            return rounding(p, type, bound, terms);
        }

        static double rounding(Pair p, DType type, double bound, double terms) {
            return switch (type) {
                case BF16 -> bound * 0x1p-8 / p.unit();
                case F16 -> (bound * 0x1p-11 + terms * 0x1p-25) / p.unit();
                case F32, F64, I32 -> 0;
            };
        }

        static double largestFinite(Pair.Both x) {
            return Pair.largest(
                    Arrays.stream(x.expected()).filter(Double::isFinite).toArray());
        }

        void checkForward() {
            logSumExp.isWithin(4 * probability() + scoreSize(), "logSumExp of " + c);
            double values = largestFinite(value);
            output.isWithin(4 * probability() * values + rounding(2 * values, s.keys() * values + 1), "output of " + c);
        }
    }

    @Test
    default void attentionUnderEveryMask() {
        for (Case c : masks()) {
            try (Pair p = pair()) {
                Problem problem = new Problem(p, c);
                problem.forward();
                problem.checkForward();
            }
        }
    }

    @Test
    default void attentionOfAwkwardSizes() {
        for (Case c : sizes()) {
            try (Pair p = pair()) {
                Problem problem = new Problem(p, c);
                problem.forward();
                problem.checkForward();
            }
        }
    }

    @Test
    default void attentionWithNothingToDo() {
        int[][] sizes = {{0, 2, 3, 4}, {2, 0, 3, 4}, {2, 2, 0, 4}, {2, 2, 3, 0}};
        for (int[] z : sizes) {
            try (Pair p = pair()) {
                Case c = new Case(shape(z[0], z[1], z[2], z[3], 5, 6, false), AttentionSpec.DEFAULT, false, null);
                Problem problem = new Problem(p, c);
                problem.forward();
                problem.output.isExact("output of " + c);
                problem.logSumExp.isExact("logSumExp of " + c);
                checkBackward(problem, false);
            }
        }
    }

    @Test
    default void largeScoresDoNotOverflow() {
        try (Pair p = pair()) {
            AttentionSpec steep = AttentionSpec.DEFAULT.withScale(100);
            Problem problem = new Problem(p, new Case(shape(1, 2, 17, 33, 8, 8, true), steep, false, null));
            problem.forward();
            problem.checkForward();
        }
    }

    @Test
    default void attentionGradientsUnderEveryMask() {
        boolean withLogSumExp = false;
        for (Case c : masks()) {
            withLogSumExp = !withLogSumExp;
            try (Pair p = pair()) {
                Problem problem = new Problem(p, c);
                problem.forward();
                checkBackward(problem, withLogSumExp);
            }
        }
    }

    @Test
    default void attentionGradientsOfAwkwardSizes() {
        for (Case c : sizes()) {
            try (Pair p = pair()) {
                Problem problem = new Problem(p, c);
                problem.forward();
                checkBackward(problem, true);
            }
        }
    }

    /** Random gradients of the outputs, and what follows from them. */
    record Gradients(Pair.Both dOutput, Pair.Both dLogSumExp, Pair.Both dQuery, Pair.Both dKey, Pair.Both dValue) {}

    private static Gradients gradients(Problem problem, boolean withLogSumExp) {
        Pair p = problem.p;
        AttentionShape s = problem.s;
        Pair.Both dOutput = p.floats(problem.type, Pair.normal((int) s.outputSize(), 7));
        Pair.Both dLogSumExp = p.floats(Pair.normal((int) s.logSumExpSize(), 8));
        Pair.Both dQuery = p.output(problem.type, s.querySize());
        Pair.Both dKey = p.output(problem.type, s.keySize());
        Pair.Both dValue = p.output(problem.type, s.valueSize());
        p.run(b -> b.attention()
                .backward(
                        problem.on(b),
                        problem.outputs(b),
                        AttentionPlane.outputs(dOutput.on(b), withLogSumExp ? dLogSumExp.on(b) : null),
                        AttentionPlane.inputs(dQuery.on(b), dKey.on(b), dValue.on(b))));
        return new Gradients(dOutput, dLogSumExp, dQuery, dKey, dValue);
    }

    static void checkBackward(Problem problem, boolean withLogSumExp) {
        AttentionShape s = problem.s;
        Gradients gradients = gradients(problem, withLogSumExp);
        String what = " of " + problem.c + (withLogSumExp ? " with dLogSumExp" : "");
        double relative = 4 * (problem.probability() + Math.sqrt(s.valueDim()) + Math.sqrt(s.queries()));
        double dO = Pair.largest(gradients.dOutput.expected());
        double dP = s.valueDim() * dO * Problem.largestFinite(problem.value);
        double dS = Math.abs(problem.c.spec.scale(s.headDim()))
                * (2 * dP + (withLogSumExp ? Pair.largest(gradients.dLogSumExp.expected()) : 0));
        double mass = Math.max(1, largestColumn(problem));
        double dQ = dS * Problem.largestFinite(problem.key);
        double dK = mass * dS * Problem.largestFinite(problem.query);
        double dV = mass * dO;
        // Of a short storage type dP and D, the factors of the last product and the result are rounded, or made from
        // what was.
        gradients.dQuery.isWithin(
                relative * dQ + problem.rounding(4 * dQ, s.keys() * Problem.largestFinite(problem.key) + 1),
                "dQuery" + what);
        gradients.dKey.isWithin(
                relative * dK + problem.rounding(4 * dK, s.queries() * Problem.largestFinite(problem.query) + 1),
                "dKey" + what);
        gradients.dValue.isWithin(relative * dV + problem.rounding(4 * dV, s.queries() * dO + 1), "dValue" + what);
    }

    /** The largest sum over queries of a key's probability: dValue of a gradient of ones. */
    static double largestColumn(Problem problem) {
        AttentionShape s = problem.s;
        Backend b = problem.p.reference;
        try (Scope scope = b.memory().openScope()) {
            DeviceArray ones = scope.allocate(b.memory().floatType(), s.outputSize());
            b.memory().fill(ones, 1);
            DeviceArray dQuery = scope.allocate(b.memory().floatType(), s.querySize());
            DeviceArray dKey = scope.allocate(b.memory().floatType(), s.keySize());
            DeviceArray dValue = scope.allocate(b.memory().floatType(), s.valueSize());
            b.attention()
                    .backward(
                            problem.on(b),
                            problem.outputs(b),
                            AttentionPlane.outputs(ones, null),
                            AttentionPlane.inputs(dQuery, dKey, dValue));
            double[] sums = new double[(int) s.valueSize()];
            b.memory().download(dValue, sums, 0);
            return Pair.largest(sums);
        }
    }

    /** Cases in which {@link #withNaN} has hidden rows: padding, and what lies outside every query's window. */
    static List<Case> hiding() {
        AttentionSpec window = AttentionSpec.DEFAULT.withWindow(2, 0);
        return List.of(
                new Case(shape(3, 2, 7, 33, 5, 6, false), AttentionSpec.DEFAULT, false, List.of(20, 0, 20)),
                new Case(shape(3, 2, 7, 33, 5, 6, true), window, false, List.of(20, 0, 20)),
                new Case(
                        shape(2, 1, 9, 33, 8, 8, true),
                        AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.TOP_LEFT),
                        false,
                        null));
    }

    /** Rows of {@code dim} numbers for keys or values, NaN for those that no query of a case of {@link #hiding} sees. */
    static double[] withNaN(Case c, int dim, long seed) {
        AttentionShape s = c.shape;
        boolean bhnd = s.layout() == AttentionShape.Layout.BHND;
        double[] x = Pair.normal(s.batch() * s.heads() * s.keys() * dim, seed);
        for (int b = 0; b < s.batch(); b++) {
            int last = c.lengths == null ? s.queries() : c.lengths.get(b);
            for (int h = 0; h < s.heads(); h++) {
                for (int j = last; j < s.keys(); j++) {
                    int row = bhnd ? (b * s.heads() + h) * s.keys() + j : (b * s.keys() + j) * s.heads() + h;
                    Arrays.fill(x, row * dim, (row + 1) * dim, Double.NaN);
                }
            }
        }
        return x;
    }

    /** Padding and what lies outside every query's window may hold anything. */
    @Test
    default void excludedPositionsLeakNothing() {
        for (Case c : hiding()) {
            try (Pair p = pair()) {
                double[] keys = withNaN(c, c.shape.headDim(), 2);
                double[] values = withNaN(c, c.shape.valueDim(), 3);
                Problem problem = new Problem(p, c, p.tested.memory().floatType(), keys, values);
                problem.forward();
                problem.checkForward();
                checkBackward(problem, true);
            }
        }
    }

    @Test
    default void attentionIsTheSameEveryTime() {
        try (Pair p = pair()) {
            Problem problem = new Problem(p, masks().get(1));
            problem.forward();
            double[] first = problem.output.actual();
            double[] firstGradient = gradients(problem, false).dKey.actual();
            for (int repeat = 0; repeat < 5; repeat++) {
                problem.forward();
                assertThat(problem.output.actual()).isEqualTo(first);
                assertThat(gradients(problem, false).dKey.actual()).isEqualTo(firstGradient);
            }
        }
    }
}
