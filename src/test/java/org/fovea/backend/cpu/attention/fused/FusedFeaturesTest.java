// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which attentions the float32 kernels take, and numbers at the ends of their range. */
@Tag("vectors")
class FusedFeaturesTest {
    private static final int N = 5;
    private static final int D = 4;

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 1);
    private final ReferenceBackend reference = new ReferenceBackend();
    private final Pair pair = new Pair(backend, reference);

    @AfterEach
    void close() {
        pair.close();
        backend.close();
        reference.close();
    }

    private AttentionProblem problem(int keys, AttentionSpec spec) {
        return new AttentionProblem(
                pair, new AttentionFeatures("of the range", AttentionFeatures.shape(1, 1, 1, N, keys, D, D), spec), 11);
    }

    /** With a bias of zeros for each key, and ALiBi. */
    private AttentionProblem biased(AttentionSpec spec, double slope) {
        AttentionFeatures features = problem(70, spec).features.withBias(1).withAlibi();
        AttentionProblem problem = new AttentionProblem(pair, features, 11);
        problem.inputs.bias().upload(new double[features.biasSize()]);
        problem.mask().alibiSlopes().upload(new double[] {slope});
        return problem;
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "30, 0", "0, 0.1", "50, 0.5", "1e-17, 1", "1e17, 1e-9"})
    void float32KernelsKnowSoftcapAndDropout(double softcap, double dropout) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(softcap).withDropout(dropout, 1);
        assertThat(FusedAttention.supports(biased(spec, 0.5).on(backend))).isTrue();
    }

    /**
     * All keys have the same large number in one column, so the query's gradient there is that number times a sum of score
     * gradients, which is 0 if probabilities add up to 1: a log-sum-exp near 10,000 alone is not precise enough for that.
     */
    @ParameterizedTest
    @ValueSource(ints = {48, 70})
    void gradientsOfScoresAddUpToNothingHoweverLargeTheScores(int keys) {
        double large = 100;
        AttentionProblem problem = problem(keys, AttentionSpec.DEFAULT.withScale(1));
        setFirstColumn(problem.inputs.query(), large);
        setFirstColumn(problem.inputs.key(), large);
        setFirstColumn(problem.tangents().key(), 0);
        problem.forward();
        assertThat(problem.logSumExp.actual()[0]).isBetween(0.9 * large * large, 1.1 * large * large);
        assertSumsAreZero(problem.backward(false), large, keys);
        assertSumsAreZero(problem.backwardTangent(AttentionProblem.Given.GRADIENT_OF_OUTPUT), large, keys);
    }

    private static void setFirstColumn(Pair.Both rows, double number) {
        double[] x = rows.expected();
        Arrays.setAll(x, i -> i % D == 0 ? number : x[i]);
        rows.upload(x);
    }

    private static void assertSumsAreZero(AttentionPlane<Pair.Both> gradients, double large, int keys) {
        double[] dQuery = gradients.query().actual();
        double largest = Pair.largest(gradients.key().actual()) / large;
        for (int row = 0; row < N; row++) {
            // A rounding for each summand, of numbers that are no larger than those which all queries together gave the
            // keys.
            assertThat(Math.abs(dQuery[row * D])).isLessThan(large * keys * 0x1p-22 * Math.max(1, largest));
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-300, 1e-19, 1e19, 1e300})
    void capsBeyondFloat32AreLeftToTheSeries(double softcap) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(softcap);
        assertThat(FusedAttention.supports(biased(spec, 0).on(backend))).isFalse();
    }

    /** Tiny caps leave nothing to tell keys by, huge ones everything; biases of any size are soft-capped too. */
    @ParameterizedTest
    @ValueSource(doubles = {1e-300, 1e-30, 1e-17, 1e-6, 0.1, 3, 1e5, 1e17, 1e30, 1e300})
    void capsOfAnySize(double softcap) {
        AttentionProblem problem =
                biased(AttentionSpec.DEFAULT.withSoftcap(softcap).withDropout(0.3, 5), 0.01);
        if (softcap < 100) {
            double[] bias = problem.inputs.bias().expected();
            bias[3] = Float.MAX_VALUE;
            bias[7] = -Float.MAX_VALUE;
            bias[66] = Float.NEGATIVE_INFINITY;
            problem.inputs.bias().upload(bias);
        }
        check(problem);
    }

    /** Every key is so far away that float32 has no number for what is taken off, but the nearest is near beside the others. */
    @Test
    void slopesWithoutLimit() {
        check(biased(AttentionSpec.DEFAULT.withPastKeys(70), 3e38));
    }

    /** To float32's rounding of sums of as many terms as keys, that are at most of the size of one. */
    private static void check(AttentionProblem problem) {
        problem.allowing(4e-6);
        problem.checkForward();
        problem.checkBackward();
    }
}
