// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendSettings.Precision;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.Case;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products whose factors are rounded: as exact as that allows, and no more. */
@Tag("integration")
class PrecisionTest {

    @BeforeEach
    void onTheSimulator() {
        Simulator.assumeSimulated();
    }

    private static Backend open(Precision precision) {
        String name = precision.name().toLowerCase(Locale.ROOT);
        return Simulator.open(BackendSettings.DEFAULT.with(Map.of("precision", name, "cublas", "off")));
    }

    @ParameterizedTest
    @EnumSource(
            value = Precision.class,
            names = {"TF32", "BF16"})
    void errorsAreThoseOfRoundingTheFactors(Precision precision) {
        try (Backend backend = open(precision);
                Backend reference = new ReferenceBackend()) {
            Map.of("math.gemm", 30, "math.linear", 61, "math.linearBackward", 64, "attention.backward", 20)
                    .forEach((operation, count) -> Case.all(false).stream()
                            .filter(each -> each.operation().equals(operation))
                            .limit(count)
                            .forEach(each -> {
                                try (Pair pair = new Pair(backend, reference, precision)) {
                                    each.body().accept(pair);
                                }
                            }));
        }
    }

    @Test
    void eachRoundsToItsOwnBits() {
        assertThat(largestError(Precision.FLOAT32)).isLessThan(0x1p-18);
        assertThat(largestError(Precision.TF32)).isBetween(0x1p-14, 0x1p-10);
        assertThat(largestError(Precision.BF16)).isBetween(0x1p-11, 0x1p-7);
    }

    /** Of products of two numbers between 1/2 and 1. */
    private static double largestError(Precision precision) {
        Random random = new Random(3);
        float[] a = new float[64];
        float[] b = new float[64];
        for (int i = 0; i < 64; i++) {
            a[i] = (1 + random.nextFloat()) / 2;
            b[i] = (1 + random.nextFloat()) / 2;
        }
        float[] products = new float[64 * 64];
        try (Backend backend = open(precision);
                Scope scope = backend.memory().openScope()) {
            DeviceArray left = scope.allocate(DType.F32, 64);
            DeviceArray right = scope.allocate(DType.F32, 64);
            DeviceArray all = scope.allocate(DType.F32, products.length);
            backend.memory().upload(a, 0, left);
            backend.memory().upload(b, 0, right);
            backend.math().gemm(Gemm.dense(false, false, 64, 64, 1), left, right, all);
            backend.memory().download(all, products, 0);
        }
        double largest = 0;
        for (int i = 0; i < products.length; i++) {
            double exact = (double) a[i / 64] * b[i % 64];
            largest = Math.max(largest, Math.abs(products[i] - exact));
        }
        return largest;
    }
}
