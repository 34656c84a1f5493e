// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.backend.memory.Scope;
import org.junit.jupiter.api.Test;

/** Arrays of 16-bit floating types: transfers and conversions, by numbers worked out by hand. */
interface StorageContract extends ContractFixture {

    /** Halfway cases, the largest numbers, subnormals and what is not finite. */
    double[] AWKWARD_NUMBERS = {
        0,
        -0.0,
        1,
        -1,
        1 + 0x1p-8,
        1 + 0x3p-8,
        1 + 0x1p-8 + 0x1p-40,
        1 + 0x1p-11,
        1 + 0x3p-11,
        65504,
        65519.99,
        65520,
        3.3895e38,
        3.4e38,
        0x1p-24,
        0x1p-25,
        0x1.8p-25,
        0x1p-14 - 0x1p-26,
        0x1p-133,
        0x1p-134,
        1e300,
        Double.NaN,
        Double.POSITIVE_INFINITY,
        Double.NEGATIVE_INFINITY,
        0.1,
        -123.456
    };

    private void roundTrip(DType type, double[] expected) {
        Backend b = tested();
        double[] back = new double[AWKWARD_NUMBERS.length];
        float[] floats = new float[AWKWARD_NUMBERS.length];
        try (Scope scope = b.memory().openScope()) {
            DeviceArray array = scope.allocate(type, expected.length);
            b.memory().upload(AWKWARD_NUMBERS, 0, array);
            b.memory().download(array, back, 0);
            assertThat(back).as("numbers in %s", type).isEqualTo(expected);
            b.memory().download(array, floats, 0);
            for (int i = 0; i < expected.length; i++) {
                assertThat((double) floats[i]).isEqualTo(Double.valueOf(expected[i]));
            }

            DeviceArray wide = scope.allocate(b.memory().floatType(), expected.length);
            b.math().cast(array, wide);
            b.memory().download(wide, back, 0);
            assertThat(back).as("cast from %s", type).isEqualTo(expected);
            b.memory().upload(AWKWARD_NUMBERS, 0, wide);
            b.memory().fill(array, 7);
            b.math().cast(wide, array);
            b.memory().download(wide, back, 0);
            for (int i = 0; i < back.length; i++) {
                back[i] = HalfPrecision.value(type, HalfPrecision.bits(type, back[i]));
            }
            double[] narrowed = new double[back.length];
            b.memory().download(array, narrowed, 0);
            assertThat(narrowed).as("cast to %s", type).isEqualTo(back);
        }
    }

    @Test
    default void bf16IsTheUpperHalfOfAFloat() {
        double inf = Double.POSITIVE_INFINITY;
        roundTrip(DType.BF16, new double[] {
            0,
            -0.0,
            1,
            -1,
            1,
            1 + 0x4p-8,
            1 + 0x2p-8,
            1,
            1,
            65536,
            65536,
            65536,
            0x1.FEp127,
            inf,
            0x1p-24,
            0x1p-25,
            0x1.8p-25,
            0x1p-14,
            0x1p-133,
            0,
            inf,
            Double.NaN,
            inf,
            -inf,
            0x1.9Ap-4,
            -123.5
        });
    }

    @Test
    default void f16IsBinary16() {
        double inf = Double.POSITIVE_INFINITY;
        roundTrip(DType.F16, new double[] {
            0,
            -0.0,
            1,
            -1,
            1 + 0x1p-8,
            1 + 0x3p-8,
            1 + 0x1p-8,
            1,
            1 + 0x4p-11,
            65504,
            65504,
            inf,
            inf,
            inf,
            0x1p-24,
            0,
            0x1p-24,
            0x1p-14,
            0,
            0,
            inf,
            Double.NaN,
            inf,
            -inf,
            0x1.998p-4,
            -123.4375
        });
    }

    @Test
    default void shortArraysAreFilledCopiedAndSliced() {
        Backend b = tested();
        for (DType type : new DType[] {DType.BF16, DType.F16}) {
            DeviceArray owned = b.memory().allocate(type, 7);
            try (Scope scope = b.memory().openScope()) {
                double[] values = new double[7];
                b.memory().download(owned, values, 0);
                assertThat(values).containsOnly(0);
                b.memory().fill(owned, 1.5);
                b.memory().fill(owned.slice(1, 5).slice(2, 2), -0.1);
                DeviceArray copy = scope.allocate(type, 7);
                b.memory().copy(owned, copy);
                b.memory().download(copy, values, 0);
                double tenth = HalfPrecision.value(type, HalfPrecision.bits(type, -0.1));
                assertThat(values).containsExactly(1.5, 1.5, 1.5, tenth, tenth, 1.5, 1.5);
                assertThatThrownBy(() ->
                                b.memory().copy(copy, scope.allocate(b.memory().floatType(), 7)))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining(type.name());
            } finally {
                owned.release();
            }
        }
    }

    @Test
    default void attentionRefusesMixedTypes() {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            AttentionShape shape = new AttentionShape(1, 1, 2, 2, 2, 2, AttentionShape.Layout.BHND);
            DeviceArray wide = scope.allocate(b.memory().floatType(), 4);
            DeviceArray narrow = scope.allocate(DType.BF16, 4);
            DeviceArray rows = scope.allocate(b.memory().floatType(), 2);
            assertThatThrownBy(() -> b.attention()
                            .forward(
                                    AttentionCall.of(shape, AttentionSpec.DEFAULT, wide, narrow, wide),
                                    new AttentionOutputs<>(wide, rows)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("key is BF16");
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, AttentionSpec.DEFAULT, narrow, narrow, narrow);
            assertThatThrownBy(() -> b.attention().forward(call, new AttentionOutputs<>(wide, rows)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(
                            "attention.forward: output is " + b.memory().floatType() + " but query is BF16");
            DeviceArray narrowRows = scope.allocate(DType.BF16, 2);
            DeviceArray output = scope.allocate(DType.BF16, 4);
            assertThatThrownBy(() -> b.attention().forward(call, new AttentionOutputs<>(output, narrowRows)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("logSumExp is BF16");
        }
    }
}
