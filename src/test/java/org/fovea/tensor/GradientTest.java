// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.List;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.fovea.backend.math.Activation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every operation's derivatives against finite differences. */
class GradientTest {

    private static Arguments unary(String name, UnaryOperator<Tensor> op) {
        return Arguments.of(name, op);
    }

    static Stream<Arguments> smooth() {
        return Stream.of(
                unary("negate", Tensor::negate),
                unary("exp", Tensor::exp),
                unary("square", Tensor::square),
                unary("tanh", Tensor::tanh),
                unary("sigmoid", Tensor::sigmoid),
                unary("softplus", Tensor::softplus),
                unary("gelu", Tensor::gelu),
                unary("sin", Tensor::sin),
                unary("cos", Tensor::cos),
                unary("softmax", Tensor::softmax),
                unary("logSoftmax", Tensor::logSoftmax),
                unary("add scalar", x -> x.add(3).square()),
                unary("subtract scalar", x -> x.subtract(0.7).square()),
                unary("divide scalar", x -> x.divide(7).square()),
                unary("sum", x -> x.square().sum()),
                unary("mean", x -> x.square().mean(0)),
                unary("sum of an axis", x -> x.square().sum(0)),
                unary("transpose", x -> x.square().transpose(1, 0)),
                unary("slice of rows", x -> x.square().slice(0, 1, 2)),
                unary("slice of columns", x -> x.square().slice(1, 1, 3)),
                unary("split", x -> {
                    List<Tensor> parts = x.square().split(1, 1, 0, x.size(1) - 1);
                    return parts.get(2).multiply(parts.get(0));
                }),
                unary(
                        "split, of which a part is left",
                        x -> x.square().split(0, 1, x.size(0) - 1).get(1)),
                unary("concat", x -> Tensor.concat(1, List.of(x, x.square(), x.slice(1, 0, 1)))),
                unary("broadcastTo", x -> x.square().reshape(2, 1, 5).broadcastTo(3, 2, 4, 5)),
                unary("clamp", x -> x.clamp(-0.3, 0.9).square()),
                unary("max of an axis", x -> x.max(1).square()),
                unary("softmax of a product", x -> x.matmul(x, false, true).softmax()),
                unary(
                        "rotary",
                        x -> x.sin()
                                .reshape(5, 2)
                                .rotary(x.tape().constantInts(new int[] {0, 1, 5, 2, -3}, 5), 1, 100)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("smooth")
    void unaryToThirdOrder(String name, UnaryOperator<Tensor> op) {
        GradientCheck.of(x -> op.apply(x.get(0))).at(2, 5).holdsToOrder(3);
    }

    static Stream<Arguments> onPositive() {
        return Stream.of(
                unary("log", Tensor::log),
                unary("sqrt", Tensor::sqrt),
                unary("rsqrt", Tensor::rsqrt),
                unary("reciprocal", Tensor::reciprocal),
                unary("abs", x -> x.subtract(1.2).abs().multiply(x)),
                unary("relu", x -> x.subtract(1.2).relu().multiply(x)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("onPositive")
    void positiveToThirdOrder(String name, UnaryOperator<Tensor> op) {
        GradientCheck.of(x -> op.apply(x.get(0))).atPositive(2, 3).holdsToOrder(3);
    }

    static Stream<Arguments> twoOperands() {
        return Stream.of(
                Arguments.of(
                        "add", (BinaryOperator<Tensor>) (a, b) -> a.square().add(b)),
                Arguments.of("subtract", (BinaryOperator<Tensor>) (a, b) -> a.subtract(b.square())),
                Arguments.of("multiply", (BinaryOperator<Tensor>) Tensor::multiply),
                Arguments.of("divide", (BinaryOperator<Tensor>) Tensor::divide),
                Arguments.of("min", (BinaryOperator<Tensor>) (a, b) -> a.min(b).square()),
                Arguments.of("max", (BinaryOperator<Tensor>) (a, b) -> a.max(b).square()),
                Arguments.of(
                        "select", (BinaryOperator<Tensor>) (a, b) -> a.less(b).select(a.square(), b.multiply(a))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("twoOperands")
    void binaryWithBroadcastingToThirdOrder(String name, BinaryOperator<Tensor> op) {
        GradientCheck.of(x -> op.apply(x.get(0), x.get(1)))
                .at(2, 1, 3)
                .atPositive(2, 1)
                .holdsToOrder(3);
    }

    @Test
    void productsOfMatrices() {
        GradientCheck.of(x -> x.get(0).matmul(x.get(1))).at(2, 3).at(3, 5).holdsToOrder(2);
        GradientCheck.of(x -> x.get(0).matmul(x.get(1), true, false))
                .at(3, 2)
                .at(3, 5)
                .holdsToOrder(2);
        GradientCheck.of(x -> x.get(0).matmul(x.get(1), false, true))
                .at(2, 3)
                .at(5, 3)
                .holdsToOrder(2);
        GradientCheck.of(x -> x.get(0).matmul(x.get(1), true, true))
                .at(3, 2)
                .at(5, 3)
                .holdsToOrder(2);
        GradientCheck.of(x -> x.get(0).matmul(x.get(1))).at(2, 3, 2).at(2, 3).holdsToOrder(2);
        GradientCheck.of(x -> x.get(0).matmul(x.get(1), true, false))
                .at(2, 3, 2)
                .at(3, 2)
                .holdsToOrder(2);
        GradientCheck.of(x -> x.get(0).matmul(x.get(1), false, true).tanh())
                .at(2, 1, 1, 3)
                .at(3, 2, 3)
                .holdsToOrder(2);
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void linear(Activation activation) {
        GradientCheck.of(x -> x.get(0).linear(x.get(1), x.get(2), activation))
                .at(2, 1, 3)
                .at(3, 2)
                .at(2)
                .holdsToOrder(3);
        GradientCheck.of(x -> x.get(0).linear(x.get(1), null, activation))
                .at(1, 3)
                .at(3, 2)
                .holdsToOrder(2);
    }

    @Test
    void layerNorm() {
        GradientCheck.of(x -> x.get(0).layerNorm(x.get(1), x.get(2), 1e-2f))
                .at(2, 3)
                .at(3)
                .at(3)
                .holdsToOrder(3);
    }

    @Test
    void gatherAndScatter() {
        GradientCheck.of(x ->
                        x.get(0).tanh().gatherRows(x.get(0).tape().constantInts(new int[] {2, 0, 2, 1, 2, 0}, 3, 2)))
                .at(3, 2)
                .holdsToOrder(2);
        GradientCheck.of(x -> x.get(0)
                        .tanh()
                        .scatterAddRows(x.get(0).tape().constantInts(new int[] {1, 3, 1}, 3), 4, 2)
                        .square())
                .at(3, 2)
                .holdsToOrder(2);
    }

    @Test
    void aSmallNetworkToFourthOrder() {
        GradientCheck.of(x -> x.get(0)
                        .linear(x.get(1), null, Activation.TANH)
                        .layerNorm(x.get(2), x.get(2), 0.1f)
                        .softmax()
                        .log()
                        .mean())
                .at(2, 2)
                .at(2, 2)
                .at(2)
                .holdsToOrder(4);
    }
}
