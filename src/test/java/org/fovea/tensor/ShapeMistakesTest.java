// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.reference.ReferenceBackend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A mistake in a shape names the operation and both shapes. */
class ShapeMistakesTest {

    private static Arguments mistake(String operation, Consumer<Tape> code, String... shapes) {
        return Arguments.of(operation, code, shapes);
    }

    static Stream<Arguments> mistakes() {
        return Stream.of(
                mistake("add", t -> t.zeros(2, 3).add(t.zeros(4, 3)), "[2, 3]", "[4, 3]"),
                mistake("matmul", t -> t.zeros(2, 3).matmul(t.zeros(4, 3)), "[2, 3]", "[4, 3]"),
                mistake("matmul", t -> t.zeros(3).matmul(t.zeros(3, 1)), "[3]", "[3, 1]"),
                mistake("matmul", t -> t.zeros(5, 2, 3).matmul(t.zeros(4, 3, 2)), "[5]", "[4]"),
                mistake("reshape", t -> t.zeros(2, 3).reshape(5), "[2, 3]", "[5]"),
                mistake("broadcastTo", t -> t.zeros(2, 3).broadcastTo(3), "[2, 3]", "[3]"),
                mistake("transpose", t -> t.zeros(2, 3).transpose(0, 0), "[2, 3]", "[0, 0]"),
                mistake("transpose", t -> t.zeros(2, 3).transpose(0), "[2, 3]", "[0]"),
                mistake("split", t -> t.zeros(2, 3).split(1, 2, 2).get(0), "[2, 3]", "[2, 2]"),
                mistake("slice", t -> t.zeros(2, 3).slice(1, 2, 4), "[2, 3]", "[2, 4)"),
                mistake("sum", t -> t.zeros(2, 3).sum(2), "[2, 3]", "2"),
                mistake("concat", t -> Tensor.concat(0, List.of(t.zeros(2, 3), t.zeros(2, 4))), "[2, 3]", "[2, 4]"),
                mistake("linear", t -> t.zeros(2, 3).linear(t.zeros(2, 3), null, Activation.NONE), "[2, 3]"),
                mistake(
                        "linear",
                        t -> t.zeros(2, 3).linear(t.zeros(3, 4), t.zeros(3), Activation.NONE),
                        "[3, 4]",
                        "[3]"),
                mistake("layerNorm", t -> t.zeros(2, 3).layerNorm(t.zeros(2), t.zeros(3), 1), "[2, 3]", "[2]"),
                mistake("rotary", t -> t.zeros(2, 6).rotary(t.constantInts(new int[2], 2), 2, 10), "[2, 6]"),
                mistake("rotary", t -> t.zeros(2, 4).rotary(t.constantInts(new int[3], 3), 2, 10), "[2, 4]", "[3]"),
                mistake("item", t -> t.zeros(2).item(), "[2]"),
                mistake("tensor", t -> t.constant(new double[5], 2, 3), "5", "[2, 3]"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mistakes")
    void namesOperationAndShapes(String operation, Consumer<Tape> code, String[] shapes) {
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.recording(backend)) {
            assertThatThrownBy(() -> code.accept(tape))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageStartingWith(operation)
                    .hasMessageContainingAll(shapes);
        }
    }
}
