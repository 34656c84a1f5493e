// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A bias by relative position is a dense one of the same numbers, without its memory. */
interface RelativeBiasContract extends ContractFixture {

    private static double[] dense(AttentionFeatures features, double[] relative) {
        AttentionShape s = features.shape();
        double[] dense = new double[(int) s.logSumExpSize() * s.keys()];
        for (int at = 0; at < dense.length; at++) {
            int row = at / s.keys();
            int matrix = row / s.queries();
            int index = features.biasAt(matrix / s.heads(), matrix % s.heads(), row % s.queries(), at % s.keys());
            dense[at] = relative[index];
        }
        return dense;
    }

    /** Of the backend and of the reference; what each order is made of is compared in the table of cases. */
    @ParameterizedTest
    @MethodSource("org.fovea.verify.AttentionCatalogue#relativeBiases")
    default void aRelativeBiasIsADenseOneOfTheSameNumbers(AttentionFeatures features) {
        try (Pair p = pair()) {
            AttentionProblem relative = new AttentionProblem(p, features, 1);
            AttentionProblem dense = new AttentionProblem(p, features.withBias(AttentionFeatures.DENSE), 1);
            dense.inputs.bias().upload(dense(features, relative.inputs.bias().expected()));
            if (features.sink()) {
                dense.inputs.sink().upload(relative.inputs.sink().expected());
            }
            relative.checkForward();
            dense.checkForward();
            assertThat(relative.output.actual()).containsExactly(dense.output.actual(), within(1e-4));
            assertThat(relative.logSumExp.actual()).containsExactly(dense.logSumExp.actual(), within(1e-4));
            assertThat(relative.output.expected()).containsExactly(dense.output.expected(), within(1e-12));
            assertThat(relative.logSumExp.expected()).containsExactly(dense.logSumExp.expected(), within(1e-12));
        }
    }

    @Test
    default void aMaskByRelativePositionIsRefused() {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            AttentionShape shape = AttentionFeatures.shape(1, 1, 1, 1, 1, 1, 1);
            DeviceArray one = scope.allocate(b.memory().floatType(), 1);
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, AttentionSpec.DEFAULT, one, one, one)
                    .withMask(AttentionMask.<DeviceArray>none().withScores(ScoreBias.relative(one, 1, 1, 0)));
            DeviceArray output = scope.allocate(b.memory().floatType(), 1);
            DeviceArray logSumExp = scope.allocate(b.memory().floatType(), 1);
            assertThatThrownBy(() -> b.attention().forward(call, new AttentionOutputs<>(output, logSumExp)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("a mask only by query and key")
                    .hasMessageContaining("use a window");
        }
    }

    /** Memory for the gradient and for its tangent grows with the rows, not with their pairs. */
    @Test
    default void aRelativeBiasTakesNoMatrix() {
        int rows = 256;
        long matrix = (long) rows * rows * Float.BYTES;
        assertThat(reserved(rows, true) - reserved(rows, false)).isLessThan(matrix / 4);
    }

    private long reserved(int rows, boolean withBias) {
        AttentionShape shape = AttentionFeatures.shape(1, 1, 1, rows, rows, 1, 1);
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(1);
        try (Backend b = open();
                Scope scope = b.memory().openScope()) {
            DeviceArray[] rowArrays = new DeviceArray[16];
            for (int i = 0; i < rowArrays.length; i++) {
                rowArrays[i] = scope.allocate(b.memory().floatType(), rows);
                b.memory().fill(rowArrays[i], 0.5);
            }
            DeviceArray numbers = scope.allocate(b.memory().floatType(), 2 * rows + 1);
            b.memory().fill(numbers, 0.5);
            ScoreBias<DeviceArray> bias = withBias ? ScoreBias.relative(numbers, 1, 1, rows) : null;
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, spec, rowArrays[0], rowArrays[1], rowArrays[2])
                    .withBias(bias);
            DeviceArray dBias = withBias ? scope.allocate(b.memory().floatType(), 2 * rows + 1) : null;
            AttentionPlane<DeviceArray> point = AttentionPlane.outputs(rowArrays[3], null);
            AttentionPlane<DeviceArray> tangent =
                    AttentionPlane.inputs(rowArrays[4], rowArrays[5], rowArrays[6], withBias ? numbers : null, null);
            AttentionPlane<DeviceArray> gradients = new AttentionPlane<>(
                    rowArrays[7], rowArrays[8], rowArrays[9], dBias, null, rowArrays[10], rowArrays[11]);
            b.attention()
                    .series(
                            call,
                            SeriesRing.infinitesimals(1),
                            List.of(point, tangent),
                            List.of(AttentionPlane.none(), gradients));
            b.synchronize();
            return b.memory().reservedBytes();
        }
    }
}
