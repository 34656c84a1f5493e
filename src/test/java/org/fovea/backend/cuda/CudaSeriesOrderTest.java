// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Collections;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A series of too many coefficients is refused in the words of who asked for an order. */
@Tag("integration")
class CudaSeriesOrderTest {

    private static void refuses(SeriesRing ring, String message) {
        Simulator.assumeSimulated();
        try (Backend backend = Simulator.open();
                Scope scope = backend.memory().openScope()) {
            DeviceArray x = scope.allocate(DType.F32, 1);
            AttentionShape pair = new AttentionShape(1, 1, 1, 1, 1, 1, 1, AttentionShape.Layout.BHND);
            List<AttentionPlane<DeviceArray>> none = Collections.nCopies(ring.planes(), AttentionPlane.none());
            assertThatThrownBy(() -> backend.attention()
                            .series(AttentionCall.of(pair, AttentionSpec.DEFAULT, x, x, x), ring, none, none))
                    .isInstanceOf(UnsupportedOnBackendException.class)
                    .hasMessage(message);
        }
    }

    @Test
    void powersOfOneVariable() {
        refuses(
                SeriesRing.taylor(16),
                "attention.series of order 16, where 15 is the highest, is not supported by cuda yet; use --backend cpu");
    }

    @Test
    void infinitesimals() {
        refuses(
                SeriesRing.infinitesimals(5),
                "attention.series along 5 directions, where 4 are the most, is not supported by cuda yet; use --backend"
                        + " cpu");
    }
}
