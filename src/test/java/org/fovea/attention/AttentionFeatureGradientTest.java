// SPDX-License-Identifier: Apache-2.0
package org.fovea.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.tensor.GradientCheck;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Derivatives up to the third order of every form of attention, for query, key, value, bias and sink together. */
class AttentionFeatureGradientTest {

    /** A form of attention of query, key, value, bias and sink. */
    private record Form(String name, AttentionSpec spec, UnaryOperator<AttentionCall<Tensor>> change) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Form form(String name, AttentionSpec spec) {
        return new Form(name, spec, call -> call);
    }

    private static Form masked(String name, Function<Tape, AttentionMask<Tensor>> mask) {
        return new Form(
                name,
                AttentionSpec.DEFAULT.withScale(0.7),
                call -> call.withMask(mask.apply(call.query().tape())));
    }

    static Stream<Form> forms() {
        AttentionSpec plain = AttentionSpec.DEFAULT;
        return Stream.of(
                form("plain", plain),
                form("softcap", plain.withSoftcap(1.5)),
                form(
                        "causal after past keys",
                        plain.withCausal(Alignment.TOP_LEFT).withPastKeys(1)),
                form("cosine", plain.withSimilarity(Similarity.COSINE).withScale(2)),
                form("euclidean", plain.withSimilarity(Similarity.EUCLIDEAN)),
                form("dropout", plain.withDropout(0.4, 11)),
                form(
                        "euclidean with softcap and dropout",
                        plain.withSimilarity(Similarity.EUCLIDEAN)
                                .withSoftcap(2)
                                .withDropout(0.3, 5)),
                masked(
                        "additive mask and ALiBi",
                        tape -> AttentionMask.<Tensor>none()
                                .withScores(Attention.bias(tape.constant(
                                        new double[] {0, 0.5, Double.NEGATIVE_INFINITY, 1, -1, 0}, 1, 1, 2, 3)))
                                .withAlibi(tape.constant(new double[] {0.5, 0.25}, 2))),
                masked(
                        "allowed keys",
                        tape -> AttentionMask.<Tensor>none()
                                .withScores(Attention.allowed(tape.constantInts(new int[] {1, 0, 1}, 1, 1, 1, 3)))),
                masked(
                        "packed",
                        tape -> AttentionMask.packed(
                                tape.constantInts(new int[] {0, 1, 2}, 3), tape.constantInts(new int[] {0, 2, 3}, 3))));
    }

    /** Two heads share one key head, and the bias is the same for all queries. */
    private static List<Tensor> both(Form form, List<Tensor> x) {
        AttentionCall<Tensor> call = Attention.call(x.get(0), x.get(1), x.get(2), form.spec)
                .withBias(Attention.bias(x.get(3)))
                .withSink(x.get(4));
        Attention.Result result = Attention.apply(form.change.apply(call));
        return List.of(result.output(), result.logSumExp());
    }

    @ParameterizedTest
    @MethodSource("forms")
    void holdToSecondOrder(Form form) {
        GradientCheck.ofSeveral(x -> both(form, x))
                .at(1, 2, 2, 2)
                .at(1, 1, 3, 2)
                .at(1, 1, 3, 1)
                .at(1, 2, 1, 3)
                .at(2)
                .holdsToOrder(2);
    }

    @ParameterizedTest
    @MethodSource("forms")
    void holdToThirdOrder(Form form) {
        GradientCheck.ofSeveral(x -> both(form, x))
                .at(1, 2, 2, 1)
                .at(1, 1, 3, 1)
                .at(1, 1, 3, 1)
                .at(1, 1, 2, 1)
                .at(2)
                .holdsToOrder(3);
    }

    private static List<AttentionSpec> placements() {
        AttentionSpec plain = AttentionSpec.DEFAULT;
        return List.of(
                plain.withPastKeys(1),
                plain.withCausal(Alignment.BOTTOM_RIGHT),
                plain.withSoftcap(1.5).withSimilarity(Similarity.EUCLIDEAN));
    }

    private static List<Tensor> relative(AttentionSpec spec, List<Tensor> x) {
        Attention.Result result = Attention.apply(
                Attention.call(x.get(0), x.get(1), x.get(2), spec).withBias(Attention.relativeBias(x.get(3))));
        return List.of(result.output(), result.logSumExp());
    }

    @ParameterizedTest
    @MethodSource("placements")
    void ofARelativeBiasHoldToThirdOrder(AttentionSpec spec) {
        GradientCheck.ofSeveral(x -> relative(spec, x))
                .at(1, 2, 2, 1)
                .at(1, 1, 3, 1)
                .at(1, 1, 3, 1)
                .at(1, 2, 3)
                .holdsToOrder(3);
    }

    @Test
    void aBiasIsToldByItsRank() {
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.recording(backend)) {
            Tensor x = tape.zeros(1, 1, 2, 1);
            assertThatThrownBy(() -> Attention.bias(tape.zeros(1, 1, 3)))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("expected [batch, heads, queries, keys]");
            assertThatThrownBy(() -> Attention.relativeBias(tape.zeros(1, 1, 2, 2)))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("expected [batch, heads, 2 reach + 1]");
            assertThatThrownBy(() -> Attention.relativeBias(tape.zeros(1, 1, 4)))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("odd number of relative positions");
            AttentionCall<Tensor> heads = Attention.call(x, x, x, AttentionSpec.DEFAULT)
                    .withBias(Attention.relativeBias(tape.zeros(1, 2, 3)));
            assertThatThrownBy(() -> Attention.apply(heads))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("bias is [1, 2, 3]");
        }
    }

    @Test
    void fourthOrderOfTheLogSumExpAlone() {
        GradientCheck.of(x -> Attention.apply(Attention.call(x.get(0), x.get(1), x.get(1), AttentionSpec.DEFAULT))
                        .logSumExp())
                .at(1, 1, 1, 1)
                .at(1, 1, 2, 1)
                .holdsToOrder(4);
    }

    @Test
    void weightsOfSomeQueriesSumToOneWithTheSink() {
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.recording(backend)) {
            AttentionCall<Tensor> call = Attention.call(
                            tape.constant(new double[] {1, -2, 0.5}, 1, 1, 3, 1),
                            tape.constant(new double[] {2, 1}, 1, 1, 2, 1),
                            tape.constant(new double[] {1, 1}, 1, 1, 2, 1),
                            AttentionSpec.DEFAULT)
                    .withSink(tape.constant(new double[] {0.3}, 1));
            Attention.Result result = Attention.apply(call);
            double[] weights =
                    Attention.weights(call, result, ScoreStage.SOFTMAX, 1, 2).toDoubles();
            double[] sums = result.output().toDoubles();
            assertThat(weights).hasSize(4);
            assertThat(weights[0] + weights[1]).isEqualTo(sums[1]).isLessThan(1);
            assertThat(weights[2] + weights[3]).isEqualTo(sums[2]).isLessThan(1);
        }
    }
}
