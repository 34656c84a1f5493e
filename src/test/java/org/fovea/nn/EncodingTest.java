// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Encodings of positions, and embeddings. */
class EncodingTest {
    private final Backend backend = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void sinusoidalFollowsItsFormulaAndAddsToEveryRow() {
        try (Tape tape = Tape.inference(backend)) {
            double[] y = PositionalEncoding.sinusoidal(9, 6)
                    .addTo(tape.full(1, 2, 7, 6))
                    .toDoubles();
            for (int row = 0; row < 2; row++) {
                for (int position = 0; position < 7; position++) {
                    for (int i = 0; i < 3; i++) {
                        double angle = position / Math.pow(10_000, 2.0 * i / 6);
                        int element = (row * 7 + position) * 6 + 2 * i;
                        assertThat(y[element]).isCloseTo(1 + Math.sin(angle), within(1e-12));
                        assertThat(y[element + 1]).isCloseTo(1 + Math.cos(angle), within(1e-12));
                    }
                }
            }
        }
    }

    @Test
    void gridEncodesRowsAndColumnsApart() {
        try (Tape tape = Tape.inference(backend)) {
            double[] cells =
                    PositionalEncoding.grid(3, 5, 8).addTo(tape.zeros(15, 8)).toDoubles();
            double[] line =
                    PositionalEncoding.sinusoidal(5, 4).addTo(tape.zeros(5, 4)).toDoubles();
            for (int row = 0; row < 3; row++) {
                for (int column = 0; column < 5; column++) {
                    for (int i = 0; i < 4; i++) {
                        int cell = (row * 5 + column) * 8;
                        assertThat(cells[cell + i]).isEqualTo(line[row * 4 + i]);
                        assertThat(cells[cell + 4 + i]).isEqualTo(line[column * 4 + i]);
                    }
                }
            }
        }
    }

    @Test
    void encodingsRefuseWhatTheyDoNotCover() {
        try (Tape tape = Tape.inference(backend)) {
            PositionalEncoding encoding = PositionalEncoding.sinusoidal(4, 6);
            assertThatThrownBy(() -> encoding.addTo(tape.zeros(5, 6)))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContainingAll("[4, 6]", "[5, 6]");
            assertThatThrownBy(() -> PositionalEncoding.sinusoidal(4, 5)).isInstanceOf(ShapeException.class);
            assertThatThrownBy(() -> PositionalEncoding.grid(4, 4, 6)).isInstanceOf(ShapeException.class);
        }
    }

    /** Similarities of rotated queries and keys depend on distances alone. */
    @Test
    void rotarySimilaritiesDoNotChangeWhenAllPositionsShift() {
        try (Tape tape = Tape.inference(backend)) {
            Random random = new Random(1);
            Tensor query = tape.constant(random.doubles(5 * 6).toArray(), 1, 5, 6);
            Tensor key = tape.constant(random.doubles(5 * 6).toArray(), 1, 5, 6);
            assertThat(similarities(query, key, 0, 0))
                    .containsExactly(similarities(query, key, 123, 123), within(1e-11));
            assertThat(similarities(query, key, 0, 1)[0]).isNotCloseTo(similarities(query, key, 0, 0)[0], within(1e-3));
        }
    }

    private static double[] similarities(Tensor query, Tensor key, int firstQuery, int firstKey) {
        Tape tape = query.tape();
        Tensor q = RotaryEncoding.STANDARD.apply(query, RotaryEncoding.positions(tape, 1, firstQuery, 5), 1);
        Tensor k = RotaryEncoding.STANDARD.apply(key, RotaryEncoding.positions(tape, 1, firstKey, 5), 1);
        return q.matmul(k, false, true).toDoubles();
    }

    @Test
    void embeddingLooksUpRows() {
        try (Parameters parameters = new Parameters(backend, 1);
                Tape tape = Tape.inference(backend)) {
            Embedding embedding = new Embedding(parameters, "symbols", 5, 2, (shape, random) ->
                    new double[] {0, 1, 10, 11, 20, 21, 30, 31, 40, 41});
            parameters.allocate();
            Tensor y = embedding.apply(tape.constantInts(new int[] {4, 0, 4, 2}, 2, 2));
            assertThat(y.shape()).containsExactly(2, 2, 2);
            assertThat(y.toDoubles()).containsExactly(40, 41, 0, 1, 40, 41, 20, 21);
        }
    }

    /** With all weights 0 the gate opens by sigmoid(-2) towards tanh(0). */
    @Test
    void aGateStartsNearTheIdentity() {
        try (Parameters parameters = new Parameters(backend, 1);
                Tape tape = Tape.inference(backend)) {
            GruGate gate = new GruGate(parameters, "gate", 3);
            parameters.allocate();
            for (Parameter parameter : parameters.all()) {
                if (!parameter.name().equals("gate.bias")) {
                    backend.memory().fill(parameter.value(), 0);
                }
            }
            double kept = 1 - 1 / (1 + Math.exp(2));
            for (double element :
                    gate.apply(tape.full(3, 2, 3), tape.full(5, 2, 3)).toDoubles()) {
                assertThat(element).isCloseTo(3 * kept, within(1e-12));
            }
        }
    }
}
