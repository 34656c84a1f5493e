package org.fovea.backend.contract;

import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.function.Consumer;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every feature of attention, in every operation and to every order. */
interface FeatureContract extends ContractFixture {
    String ALL = "org.fovea.verify.AttentionCatalogue#all";
    String TYPES = "org.fovea.verify.AttentionCatalogue#types";
    String FEW = "org.fovea.verify.AttentionCatalogue#few";

    private void check(AttentionFeatures features, Consumer<AttentionProblem> check) {
        try (Pair p = pair()) {
            AttentionProblem problem = new AttentionProblem(p, features, 1);
            problem.forward();
            check.accept(problem);
        }
    }

    @ParameterizedTest
    @MethodSource({ALL, TYPES})
    default void featuresForward(AttentionFeatures features) {
        check(features, AttentionProblem::checkForward);
    }

    /** More heads of batch rows than a grid has blocks along its second and third axis. */
    @Test
    default void moreThan65535Heads() {
        AttentionShape shape = new AttentionShape(65537, 1, 1, 1, 1, 1, 1, AttentionShape.Layout.BHND);
        check(new AttentionFeatures("many rows", shape, AttentionSpec.DEFAULT), AttentionProblem::checkForward);
    }

    @Test
    default void moreThan65535GroupedHeads() {
        assumeFalse(isSimulated(), "takes a minute on a simulated device");
        AttentionShape shape = new AttentionShape(3, 21846, 10923, 1, 1, 1, 1, AttentionShape.Layout.BNHD);
        check(new AttentionFeatures("many heads", shape, AttentionSpec.DEFAULT), AttentionProblem::checkForward);
    }

    @ParameterizedTest
    @MethodSource({ALL, TYPES})
    default void featuresBackward(AttentionFeatures features) {
        check(features, AttentionProblem::checkBackward);
    }

    @ParameterizedTest
    @MethodSource({ALL, TYPES})
    default void featuresTangent(AttentionFeatures features) {
        check(features, AttentionProblem::checkTangent);
    }

    @ParameterizedTest
    @MethodSource({ALL, TYPES})
    default void featuresDoubleBackward(AttentionFeatures features) {
        check(features, AttentionProblem::checkBackwardTangent);
    }

    @ParameterizedTest
    @MethodSource({ALL, TYPES})
    default void featuresSecondOrder(AttentionFeatures features) {
        check(features, problem -> problem.checkSeries(SeriesRing.taylor(2)));
    }

    @ParameterizedTest
    @MethodSource({ALL, TYPES})
    default void featuresMixedDirections(AttentionFeatures features) {
        check(features, problem -> problem.checkSeries(SeriesRing.infinitesimals(2)));
    }

    @ParameterizedTest
    @MethodSource(FEW)
    default void featuresHighOrders(AttentionFeatures features) {
        check(features, problem -> {
            problem.checkSeries(SeriesRing.NUMBERS);
            problem.checkSeries(SeriesRing.taylor(3));
            problem.checkSeries(SeriesRing.taylor(8));
            problem.checkSeries(SeriesRing.infinitesimals(3));
        });
    }

    @ParameterizedTest
    @MethodSource({ALL, TYPES})
    default void featuresWeights(AttentionFeatures features) {
        check(features, AttentionProblem::checkWeights);
    }
}
