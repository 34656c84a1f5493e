// SPDX-License-Identifier: Apache-2.0
package org.fovea.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers that float64 holds and float32 does not, in place of which attention would compute with others. */
class AttentionScaleTest {

    private static Tensor attend(Tape tape, AttentionSpec spec) {
        Tensor x = tape.constant(new float[] {1, 2, 3, 4}, 1, 1, 2, 2);
        return Attention.apply(x, x, x, spec);
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e39, -1e39, Double.MAX_VALUE, 3.5e38})
    void aScaleThatIsInfiniteInFloat32IsRefused(double scale) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withScale(scale);
        try (Backend cpu = Backends.open("cpu", 1).backend();
                Tape tape = Tape.recording(cpu)) {
            assertThatThrownBy(() -> attend(tape, spec))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("attention scale " + scale + " is infinite in float32");
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e39, 1e-46})
    void soIsASoftcapThatIsAnotherThere(double softcap) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(softcap);
        try (Backend cpu = Backends.open("cpu", 1).backend();
                Tape tape = Tape.recording(cpu)) {
            assertThatThrownBy(() -> attend(tape, spec))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("attention softcap " + softcap + " is ");
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, -3, 1e-40, 1e-300, Float.MAX_VALUE})
    void otherScalesAreNot(double scale) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withScale(scale);
        try (Backend cpu = Backends.open("cpu", 1).backend();
                Tape tape = Tape.recording(cpu)) {
            assertThat(attend(tape, spec).shape()).containsExactly(1, 1, 2, 2);
        }
    }

    @Test
    void float64HoldsThem() {
        try (Backend reference = new ReferenceBackend();
                Tape tape = Tape.recording(reference)) {
            assertThat(attend(tape, AttentionSpec.DEFAULT.withScale(1e39)).shape())
                    .containsExactly(1, 1, 2, 2);
        }
    }

    @Test
    void decodingRefusesThemToo() {
        try (Backend cpu = Backends.open("cpu", 1).backend();
                Scope scope = cpu.memory().openScope()) {
            DeviceArray row = scope.allocate(DType.F32, 2);
            DeviceArray counts = scope.allocate(DType.I32, 1);
            assertThatThrownBy(() -> cpu.attention()
                            .decode(
                                    new DecodeCall<>(
                                            new DecodeShape(1, 1, 1, 2, 2),
                                            AttentionSpec.DEFAULT.withScale(1e39),
                                            row,
                                            row,
                                            row,
                                            counts,
                                            counts),
                                    scope.allocate(DType.F32, 2)))
                    .hasMessageContaining("is infinite in float32");
        }
    }
}
