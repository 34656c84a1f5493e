// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.junit.jupiter.api.Test;

class CpuBackendTest {

    @Test
    void isFoundByName() {
        try (Backend backend = Backends.open("cpu", 1).backend()) {
            assertThat(backend.name()).isEqualTo("cpu");
            assertThat(backend.description()).startsWith("cpu: ").endsWith("1 thread");
            assertThat(backend.shards(3)).isEqualTo(3);
            assertThat(backend.shards(1000)).isEqualTo(8);
        }
    }

    @Test
    void multipliesMatrices() {
        try (Backend backend = Backends.open("cpu", 2).backend()) {
            DeviceArray a = array(backend, 1, 2, 3, 4, 5, 6);
            DeviceArray b = array(backend, 1, 0, 2, 1, 0, 3);
            DeviceArray c = backend.memory().allocate(DType.F32, 4);
            backend.math().gemm(Gemm.dense(false, false, 2, 2, 3), a, b, c);
            float[] product = new float[4];
            backend.memory().download(c, product, 0);
            assertThat(product).containsExactly(5, 11, 14, 23);
        }
    }

    private static DeviceArray array(Backend backend, float... elements) {
        DeviceArray array = backend.memory().allocate(DType.F32, elements.length);
        backend.memory().upload(elements, 0, array);
        return array;
    }
}
