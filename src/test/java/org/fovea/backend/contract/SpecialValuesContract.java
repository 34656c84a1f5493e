package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Objects;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** What is not a number, or infinite, where a query looks; and what a query that sees nothing gets. */
interface SpecialValuesContract extends ContractFixture {
    AttentionShape SEVEN = new AttentionShape(1, 2, 7, 7, 4, 4, AttentionShape.Layout.BHND);

    private static AttentionFeatures features(AttentionSpec spec) {
        return new AttentionFeatures("special values", SEVEN, spec);
    }

    private static void set(Pair.Both array, int from, int to, double value) {
        double[] x = array.expected();
        Arrays.fill(x, from, to, value);
        array.upload(x);
    }

    /** Requires what the reference gives in the rows of the output from {@code from} on, NaN in those before. */
    private static void checkRows(AttentionProblem problem, int head, int from) {
        double[] output = problem.output.actual();
        for (int at = head * 28; at < (head + 1) * 28; at++) {
            assertThat(Double.isNaN(output[at]))
                    .as("element %d is %s", at, output[at])
                    .isEqualTo(at % 28 >= from * 4);
        }
    }

    @Test
    default void aBadKeySpoilsTheQueriesThatSeeItAndNoOther() {
        try (Pair p = pair()) {
            AttentionFeatures causal = features(AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT));
            AttentionProblem problem = new AttentionProblem(p, causal, 1);
            set(problem.inputs.key(), 5 * 4, 5 * 4 + 1, Double.NaN);
            problem.forward();
            problem.checkForward();
            checkRows(problem, 0, 5);
            checkRows(problem, 1, 7);
            problem.checkBackward();
            problem.checkBackwardTangent();
        }
    }

    /** As in PyTorch. */
    @Test
    default void anInfiniteScoreInSightIsNotANumber() {
        try (Pair p = pair()) {
            AttentionProblem problem =
                    new AttentionProblem(p, features(AttentionSpec.DEFAULT).withBias(AttentionFeatures.DENSE), 1);
            // In the last two rows of the second head one score, or but three.
            Pair.Both bias = Objects.requireNonNull(problem.inputs.bias());
            set(bias, 49 + 35 + 3, 49 + 35 + 4, Double.POSITIVE_INFINITY);
            set(bias, 49 + 42 + 3, 98 - 3, Double.POSITIVE_INFINITY);
            problem.forward();
            checkRows(problem, 0, 7);
            checkRows(problem, 1, 5);
        }
    }

    /** In the last two rows of the second head. */
    @Test
    default void scoresOfMinusInfinityAreAsGoodAsNone() {
        try (Pair p = pair()) {
            AttentionProblem problem =
                    new AttentionProblem(p, features(AttentionSpec.DEFAULT).withBias(AttentionFeatures.DENSE), 1);
            set(Objects.requireNonNull(problem.inputs.bias()), 49 + 35, 98, Double.NEGATIVE_INFINITY);
            problem.forward();
            problem.checkForward();
            assertThat(Arrays.copyOfRange(problem.output.actual(), 28 + 20, 28 + 28))
                    .containsOnly(0);
            assertThat(Arrays.copyOfRange(problem.logSumExp.actual(), 7 + 5, 7 + 7))
                    .containsOnly(Double.POSITIVE_INFINITY);
            problem.checkBackward();
            problem.checkBackwardTangent();
        }
    }

    /** A bias of -infinity hides as a mask does, as long as there is something else to see. */
    @Test
    default void aBiasMayHideKeys() {
        for (AttentionFeatures base : new AttentionFeatures[] {
            features(AttentionSpec.DEFAULT).withBias(AttentionFeatures.DENSE),
            features(AttentionSpec.DEFAULT).withBias(AttentionFeatures.DENSE).withSink()
        }) {
            try (Pair p = pair()) {
                AttentionProblem problem = new AttentionProblem(p, base, 1);
                set(Objects.requireNonNull(problem.inputs.bias()), 1, 4, Double.NEGATIVE_INFINITY);
                set(Objects.requireNonNull(problem.inputs.bias()), 60, 62, Double.NEGATIVE_INFINITY);
                problem.forward();
                problem.checkForward();
                problem.checkBackward();
            }
        }
    }

    /** A sink is something else. */
    @Test
    default void whereNothingIsLeftButTheSinkTheOutputIsZero() {
        try (Pair p = pair()) {
            AttentionFeatures withSink = features(AttentionSpec.DEFAULT)
                    .withBias(AttentionFeatures.DENSE)
                    .withSink();
            AttentionProblem problem = new AttentionProblem(p, withSink, 1);
            set(Objects.requireNonNull(problem.inputs.bias()), 0, 7, Double.NEGATIVE_INFINITY);
            problem.forward();
            problem.checkForward();
            assertThat(Arrays.copyOf(problem.output.actual(), 4)).containsOnly(0);
            assertThat(problem.logSumExp.actual()[0])
                    .isEqualTo(Objects.requireNonNull(problem.inputs.sink()).actual()[0]);
        }
    }

    @Test
    default void aQueryThatSeesNothingGetsZeros() {
        try (Pair p = pair()) {
            AttentionFeatures blind = features(AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT))
                    .withLengths(3)
                    .withSink()
                    .withBias(AttentionFeatures.DENSE)
                    .hidingNaN();
            AttentionProblem problem = new AttentionProblem(p, blind, 1);
            problem.forward();
            problem.checkForward();
            assertThat(Arrays.copyOf(problem.output.actual(), 16)).containsOnly(0);
            double sink = Objects.requireNonNull(problem.inputs.sink()).actual()[0];
            assertThat(Arrays.copyOf(problem.logSumExp.actual(), 4)).containsOnly(sink);
            problem.checkBackward();
            problem.checkBackwardTangent();
        }
    }
}
