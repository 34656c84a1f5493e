// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/** Scores that are huge, infinite or not a number, and queries that see nothing. */
final class SpecialScoreCases {
    /** Two heads of seven queries and keys. */
    private static final AttentionShape SEVEN = new AttentionShape(1, 2, 7, 7, 4, 4, AttentionShape.Layout.BHND);

    private static final AttentionFeatures BIASED =
            features(AttentionSpec.DEFAULT).withBias(AttentionFeatures.DENSE);

    private SpecialScoreCases() {}

    static List<Case> all() {
        List<Case> cases = new ArrayList<>();
        for (DType type : new DType[] {DType.F32, DType.BF16, DType.F16}) {
            for (Huge huge : huge(type)) {
                cases.addAll(everything(
                        "mask of " + huge + " in " + type,
                        p -> ExtremeScores.of(p, type, huge.scale, huge.number, null)));
                cases.addAll(everything(
                        "bias of " + huge + " in " + type,
                        p -> ExtremeScores.of(p, type, huge.scale, null, huge.number)));
            }
        }
        Function<Pair, AttentionProblem> badKey = p -> {
            AttentionFeatures causal = features(AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT));
            AttentionProblem problem = new AttentionProblem(p, causal, 1);
            set(problem.inputs.key(), 5 * 4, 5 * 4 + 1, Double.NaN);
            return problem;
        };
        cases.add(forward("NaN in a key, for the queries that see it", badKey, (p, problem) -> {
            problem.checkForward();
            checkNaN(p, problem, 0, 5);
            checkNaN(p, problem, 1, 7);
        }));
        cases.addAll(derivatives("NaN in a key", badKey));
        // As in PyTorch. In the last two rows of the second head one score, or all but three.
        cases.add(forward(
                "infinity in the bias",
                p -> {
                    AttentionProblem problem = new AttentionProblem(p, BIASED, 1);
                    set(problem.inputs.bias(), 49 + 35 + 3, 49 + 35 + 4, Double.POSITIVE_INFINITY);
                    set(problem.inputs.bias(), 49 + 42 + 3, 98 - 3, Double.POSITIVE_INFINITY);
                    return problem;
                },
                (p, problem) -> {
                    problem.forward();
                    checkNaN(p, problem, 0, 7);
                    checkNaN(p, problem, 1, 5);
                }));
        Function<Pair, AttentionProblem> allHidden = p -> {
            AttentionProblem problem = new AttentionProblem(p, BIASED, 1);
            set(problem.inputs.bias(), 49 + 35, 98, Double.NEGATIVE_INFINITY);
            return problem;
        };
        cases.add(forward("rows of scores of -infinity", allHidden, (p, problem) -> {
            problem.checkForward();
            checkAll(p, problem.output, 28 + 20, 28 + 28, 0);
            checkAll(p, problem.logSumExp, 7 + 5, 7 + 7, Double.POSITIVE_INFINITY);
        }));
        cases.addAll(derivatives("rows of scores of -infinity", allHidden));
        for (AttentionFeatures features : List.of(BIASED, BIASED.withSink())) {
            Function<Pair, AttentionProblem> someHidden = p -> {
                AttentionProblem problem = new AttentionProblem(p, features, 1);
                set(problem.inputs.bias(), 1, 4, Double.NEGATIVE_INFINITY);
                set(problem.inputs.bias(), 60, 62, Double.NEGATIVE_INFINITY);
                return problem;
            };
            String name = "scores of -infinity" + (features.sink() ? " and a sink" : "");
            cases.add(forward(name, someHidden, (p, problem) -> problem.checkForward()));
            cases.addAll(derivatives(name, someHidden));
        }
        Function<Pair, AttentionProblem> sinkAlone = p -> {
            AttentionProblem problem = new AttentionProblem(p, BIASED.withSink(), 1);
            set(problem.inputs.bias(), 0, 7, Double.NEGATIVE_INFINITY);
            return problem;
        };
        cases.add(forward("a row of scores of -infinity and a sink", sinkAlone, (p, problem) -> {
            problem.checkForward();
            checkAll(p, problem.output, 0, 4, 0);
            checkAll(p, problem.logSumExp, 0, 1, sink(problem));
        }));
        AttentionFeatures blind = features(AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT))
                .withLengths(3)
                .withSink()
                .withBias(AttentionFeatures.DENSE)
                .hidingNaN();
        Function<Pair, AttentionProblem> nothingSeen = p -> new AttentionProblem(p, blind, 1);
        cases.add(forward("queries that see nothing but a sink", nothingSeen, (p, problem) -> {
            problem.checkForward();
            checkAll(p, problem.output, 0, 16, 0);
            checkAll(p, problem.logSumExp, 0, 4, sink(problem));
        }));
        cases.addAll(derivatives("queries that see nothing but a sink", nothingSeen));
        return cases;
    }

    /**
     * A huge number, and the scale that makes scores exact in float32 next to it, or lost in float64 as well: what is right
     * does not depend on how sums are rounded.
     */
    private record Huge(double number, double scale) {
        @Override
        public String toString() {
            return number + " and a scale of " + scale;
        }
    }

    private static List<Huge> huge(DType type) {
        List<Huge> all =
                new ArrayList<>(List.of(new Huge(-65504, 0.5), new Huge(-1e30, 0.5), new Huge(-Float.MAX_VALUE, 0.5)));
        if (type == DType.F32) {
            // With which gradients in F16 would be infinite.
            all.add(new Huge(-1e9, 4096));
            all.add(new Huge(1e9, 4096));
        }
        return all;
    }

    private static AttentionFeatures features(AttentionSpec spec) {
        return new AttentionFeatures("special values", SEVEN, spec);
    }

    private static void set(Pair.@Nullable Both array, int from, int to, double value) {
        double[] x = Objects.requireNonNull(array).expected();
        Arrays.fill(x, from, to, value);
        array.upload(x);
    }

    private static double sink(AttentionProblem problem) {
        return Objects.requireNonNull(problem.inputs.sink()).expected()[0];
    }

    /** Requires NaN in the rows of a head's output from {@code from} on, and in no other. */
    private static void checkNaN(Pair p, AttentionProblem problem, int head, int from) {
        double[] output = problem.output.actual();
        for (int at = head * 28; at < (head + 1) * 28; at++) {
            boolean expected = at % 28 >= from * 4;
            p.require(
                    Double.isNaN(output[at]) == expected,
                    "output: element " + at + " is " + output[at] + ", expected " + (expected ? "NaN" : "a number"));
        }
    }

    private static void checkAll(Pair p, Pair.Both array, int from, int to, double expected) {
        double[] actual = array.actual();
        p.require(
                IntStream.range(from, to).allMatch(i -> actual[i] == expected),
                "elements " + from + " to " + to + " are " + Arrays.toString(Arrays.copyOfRange(actual, from, to))
                        + ", expected " + expected);
    }

    private interface Check {
        void check(Pair p, AttentionProblem problem);
    }

    private static Case forward(String name, Function<Pair, AttentionProblem> problem, Check check) {
        return new Case("attention.forward", name, p -> {
            AttentionProblem made = problem.apply(p);
            check.check(p, made);
        });
    }

    private static Case after(
            String operation, String name, Function<Pair, AttentionProblem> problem, Consumer<AttentionProblem> check) {
        return new Case(operation, name, p -> {
            AttentionProblem made = problem.apply(p);
            check.accept(made);
        });
    }

    private static List<Case> derivatives(String name, Function<Pair, AttentionProblem> problem) {
        return List.of(
                after("attention.backward", name, problem, AttentionProblem::checkBackward),
                after("attention.backwardTangent", name, problem, AttentionProblem::checkBackwardTangent));
    }

    private static List<Case> everything(String name, Function<Pair, AttentionProblem> problem) {
        Map<String, Consumer<AttentionProblem>> checks = new LinkedHashMap<>();
        checks.put("attention.forward", AttentionProblem::checkForward);
        checks.put("attention.backward", AttentionProblem::checkBackward);
        checks.put("attention.tangent", AttentionProblem::checkTangent);
        checks.put("attention.backwardTangent", x -> x.checkBackwardTangent(AttentionProblem.Given.EVERYTHING));
        checks.put("attention.weights", AttentionProblem::checkWeights);
        List<Case> cases = new ArrayList<>();
        checks.forEach((operation, check) -> cases.add(after(operation, name, problem, check)));
        return cases;
    }
}
