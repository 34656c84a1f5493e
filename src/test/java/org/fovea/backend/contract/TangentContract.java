package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.contract.AttentionContract.Case;
import org.fovea.backend.contract.AttentionContract.Problem;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Tangents of attention and of its backward: Jacobian-vector products and the double backward. */
interface TangentContract extends ContractFixture {

    /** Which of the inputs that may be null are given. */
    enum Given {
        /** What the double backward of an output's gradient has. */
        GRADIENT_OF_OUTPUT,
        GRADIENT_OF_BOTH,
        ALL
    }

    /** A problem with tangents of its inputs, and what follows from them. */
    final class Tangents {
        final Problem problem;
        final Pair.Both query;
        final Pair.Both key;
        final Pair.Both value;
        final Pair.Both output;
        final Pair.Both logSumExp;

        Tangents(Problem problem, double[] keys, double[] values) {
            this.problem = problem;
            Pair p = problem.p;
            query = p.floats(problem.type, Pair.normal((int) problem.s.querySize(), 11));
            key = p.floats(problem.type, keys);
            value = p.floats(problem.type, values);
            output = p.output(problem.type, problem.s.outputSize());
            logSumExp = p.output(problem.s.logSumExpSize());
        }

        AttentionPlane<DeviceArray> on(Backend b) {
            return AttentionPlane.inputs(query.on(b), key.on(b), value.on(b));
        }

        void forward() {
            problem.p.run(b -> b.attention()
                    .tangent(
                            problem.on(b),
                            problem.outputs(b),
                            on(b),
                            AttentionPlane.outputs(output.on(b), logSumExp.on(b))));
        }

        private double scale() {
            return Math.abs(problem.c.spec().scale(problem.s.headDim()));
        }

        private static double largest(Pair.Both x) {
            return Problem.largestFinite(x);
        }

        /** Largest sum of magnitudes that the tangent of a score can be made of. */
        double scoreSize() {
            return scale()
                    * problem.s.headDim()
                    * (largest(query) * largest(problem.key) + largest(problem.query) * largest(key));
        }

        /** Relative error of what is made of probabilities and of products along head dims, keys and queries. */
        double relative() {
            AttentionShape s = problem.s;
            return 4
                    * (problem.probability()
                            + Math.sqrt(s.valueDim())
                            + Math.sqrt(s.headDim())
                            + Math.sqrt(s.queries()));
        }

        void checkForward(String what) {
            AttentionShape s = problem.s;
            double values = largest(problem.value);
            double size = 2 * scoreSize() * values + largest(value);
            double underflow = s.keys() * (values + largest(value)) + 1;
            logSumExp.isWithin(relative() * scoreSize(), "logSumExpTangent" + what);
            output.isWithin(relative() * size + problem.rounding(2 * size, underflow), "outputTangent" + what);
        }

        void checkBackward(Given given, String what) {
            Pair p = problem.p;
            AttentionShape s = problem.s;
            Pair.Both dOutput = p.floats(problem.type, Pair.normal((int) s.outputSize(), 7));
            Pair.Both dLogSumExp = p.floats(Pair.normal((int) s.logSumExpSize(), 8));
            Pair.Both dOutputTangent = p.floats(problem.type, Pair.normal((int) s.outputSize(), 14));
            Pair.Both dLogSumExpTangent = p.floats(Pair.normal((int) s.logSumExpSize(), 15));
            Pair.Both dQuery = p.output(problem.type, s.querySize());
            Pair.Both dKey = p.output(problem.type, s.keySize());
            Pair.Both dValue = p.output(problem.type, s.valueSize());
            boolean all = given == Given.ALL;
            boolean withLogSumExp = given != Given.GRADIENT_OF_OUTPUT;
            p.run(b -> b.attention()
                    .backwardTangent(
                            problem.on(b),
                            problem.outputs(b),
                            AttentionPlane.outputs(dOutput.on(b), withLogSumExp ? dLogSumExp.on(b) : null),
                            on(b).withOutputs(all ? dOutputTangent.on(b) : null, all ? dLogSumExpTangent.on(b) : null),
                            AttentionPlane.inputs(dQuery.on(b), dKey.on(b), dValue.on(b))
                                    .withOutputs(output.on(b), logSumExp.on(b))));
            checkForward(what);

            double dO = largest(dOutput);
            double dOTangent = all ? largest(dOutputTangent) : 0;
            double t = 2 * scoreSize();
            double dP = s.valueDim() * dO * largest(problem.value);
            double w = s.valueDim() * (dO * largest(value) + dOTangent * largest(problem.value));
            double centred = 2 * dP + (withLogSumExp ? largest(dLogSumExp) : 0);
            double dS = scale() * centred;
            double dSTangent = scale() * (t * centred + 2 * w + t * dP + (all ? largest(dLogSumExpTangent) : 0));
            double mass = Math.max(1, AttentionContract.largestColumn(problem));
            check(
                    dQuery,
                    dSTangent * largest(problem.key) + dS * largest(key),
                    s.keys() * (largest(problem.key) + largest(key)),
                    "dQueryTangent" + what);
            check(
                    dKey,
                    mass * (dSTangent * largest(problem.query) + dS * largest(query)),
                    s.queries() * (largest(problem.query) + largest(query)),
                    "dKeyTangent" + what);
            check(dValue, mass * (t * dO + dOTangent), s.queries() * (dO + dOTangent), "dValueTangent" + what);
        }

        /** In a short storage type D, e, the factors of the last product and the result are rounded. */
        private void check(Pair.Both result, double size, double underflow, String what) {
            result.isWithin(relative() * size + problem.rounding(4 * size, underflow + 1), what);
        }
    }

    static Tangents tangents(Problem problem) {
        return new Tangents(
                problem, Pair.normal((int) problem.s.keySize(), 12), Pair.normal((int) problem.s.valueSize(), 13));
    }

    /** Half of the masks' cases, each mask and each shape among them. */
    private static List<Case> masks() {
        List<Case> all = AttentionContract.masks();
        return IntStream.range(0, all.size())
                .filter(i -> (i + i / 4) % 2 == 0)
                .mapToObj(all::get)
                .toList();
    }

    /** Each size once without a mask in one layout, and once causal in the other. */
    private static List<Case> sizes() {
        List<Case> all = AttentionContract.sizes();
        return IntStream.range(0, all.size())
                .filter(i -> i % 4 == 0 || i % 4 == 3)
                .mapToObj(all::get)
                .toList();
    }

    private void check(List<Case> cases) {
        for (int i = 0; i < cases.size(); i++) {
            Case c = cases.get(i);
            Given given = Given.values()[i % Given.values().length];
            try (Pair p = pair()) {
                Problem problem = new Problem(p, c);
                problem.forward();
                tangents(problem).checkBackward(given, " of " + c + " given " + given);
            }
        }
    }

    @Test
    default void tangentsOfTheBackwardUnderEveryMask() {
        check(masks());
    }

    @Test
    default void tangentsOfTheBackwardOfAwkwardSizes() {
        check(sizes());
    }

    @Test
    default void tangentsUnderEveryMask() {
        for (Case c : masks()) {
            try (Pair p = pair()) {
                Problem problem = new Problem(p, c);
                problem.forward();
                Tangents tangents = tangents(problem);
                tangents.forward();
                tangents.checkForward(" of " + c);
            }
        }
    }

    @Test
    default void tangentsOfAwkwardSizes() {
        for (Case c : sizes()) {
            try (Pair p = pair()) {
                Problem problem = new Problem(p, c);
                problem.forward();
                Tangents tangents = tangents(problem);
                tangents.forward();
                tangents.checkForward(" of " + c);
            }
        }
    }

    @Test
    default void tangentsOfNothing() {
        int[][] sizes = {{0, 2, 3, 4}, {2, 0, 3, 4}, {2, 2, 0, 4}, {2, 2, 3, 0}};
        for (int[] z : sizes) {
            try (Pair p = pair()) {
                AttentionShape shape = AttentionContract.shape(z[0], z[1], z[2], z[3], 5, 6, false);
                Problem problem = new Problem(p, new Case(shape, AttentionSpec.DEFAULT, false, null));
                problem.forward();
                tangents(problem).checkBackward(Given.ALL, " of " + shape);
            }
        }
    }

    @Test
    default void tangentsOfExcludedPositionsLeakNothing() {
        for (Case c : AttentionContract.hiding()) {
            try (Pair p = pair()) {
                int headDim = c.shape().headDim();
                int valueDim = c.shape().valueDim();
                Problem problem = new Problem(
                        p,
                        c,
                        p.tested.memory().floatType(),
                        AttentionContract.withNaN(c, headDim, 2),
                        AttentionContract.withNaN(c, valueDim, 3));
                problem.forward();
                Tangents tangents = new Tangents(
                        problem, AttentionContract.withNaN(c, headDim, 12), AttentionContract.withNaN(c, valueDim, 13));
                tangents.forward();
                tangents.checkForward(" of " + c);
                tangents.checkBackward(Given.ALL, " of " + c);
            }
        }
    }

    @Test
    default void tangentsAreTheSameEveryTime() {
        try (Pair p = pair()) {
            Problem problem = new Problem(p, AttentionContract.masks().get(1));
            problem.forward();
            Tangents tangents = tangents(problem);
            tangents.forward();
            double[] first = tangents.output.actual();
            for (int repeat = 0; repeat < 5; repeat++) {
                tangents.forward();
                assertThat(tangents.output.actual()).isEqualTo(first);
            }
        }
    }
}
