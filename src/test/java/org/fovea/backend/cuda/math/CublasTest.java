// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import java.util.SplittableRandom;
import jcuda.jcublas.cublasStatus;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.contract.TableContract;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceException;
import org.fovea.verify.Case;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The contract's matrix products by cuBLAS, all of them; and how the library is chosen and fails. */
@Tag("integration")
class CublasTest extends TableContract {

    private static BackendSettings with(String name, String value, String... more) {
        BackendSettings settings = BackendSettings.DEFAULT.with(Map.of(name, value));
        return more.length == 0 ? settings : settings.with(Map.of(more[0], more[1]));
    }

    @Override
    public Backend open() {
        return Simulator.open(with("cublas", "on"));
    }

    @Override
    public boolean takes(Case each) {
        return each.operation().equals("math.gemm");
    }

    @Test
    void theDescriptionSaysWhoMultiplies() {
        assertThat(tested().description()).endsWith("; matrix products by cuBLAS 12.6");
        try (Backend own = Simulator.open(with("cublas", "off"))) {
            assertThat(own.description()).endsWith("; matrix products by Fovea's own kernel: cublas=off");
        }
        try (Backend auto = Simulator.open()) {
            assertThat(auto.description()).endsWith("; large matrix products by cuBLAS 12.6");
        }
    }

    @Test
    void largeProductsGoToTheLibraryAndOthersDoNot() {
        Simulator.load();
        CudaContext context = new CudaContext(BackendSettings.DEFAULT);
        try {
            Cublas auto = Cublas.open(context);
            assertThat(auto.takes(Gemm.dense(false, false, 512, 512, 512))).isTrue();
            assertThat(auto.takes(Gemm.dense(true, false, 511, 512, 512))).isFalse();
            assertThat(auto.takes(Gemm.batched(false, true, 64, 64, 64, 512))).isTrue();
            assertThat(auto.takes(Gemm.batched(false, true, 64, 64, 64, 65_536)))
                    .isFalse();
            assertThat(auto.takes(Gemm.dense(false, false, 1 << 30, 1 << 30, 1 << 30)))
                    .isTrue();
        } finally {
            context.close();
        }
    }

    @Test
    void withoutAHandleOwnKernelsDoIt() {
        Simulator.assumeSimulated();
        Simulator.fail("cublasCreate_v2", 1, cublasStatus.CUBLAS_STATUS_NOT_INITIALIZED);
        try (Backend own = Simulator.open()) {
            assertThat(own.description())
                    .contains("matrix products by Fovea's own kernel: cublasCreate failed in opening cuBLAS: "
                            + "CUBLAS_STATUS_NOT_INITIALIZED");
            assertThat(multiply(own, 5)).hasSize(25);
        }
    }

    @Test
    void tf32RoundsTheFactors() {
        Simulator.assumeSimulated();
        float[] exact = multiply(tested(), 97);
        try (Backend rounded = Simulator.open(with("cublas", "on", "precision", "tf32"))) {
            float[] tf32 = multiply(rounded, 97);
            float furthest = 0;
            for (int i = 0; i < exact.length; i++) {
                furthest = Math.max(furthest, Math.abs(exact[i] - tf32[i]));
            }
            // Each factor is off by at most 2^-11 of itself, so each of 97 products of at most 1 by 2^-10 or so.
            assertThat(furthest).isGreaterThan(1e-4f).isLessThan(97 * 1.01f / 1024);
        }
    }

    @Test
    void productsWaitForWhatIsBeforeThemInTheStream() {
        Backend tested = tested();
        DeviceArray a = tested.memory().allocate(DType.F32, 1);
        DeviceArray c = tested.memory().allocate(DType.F32, 1);
        tested.memory().fill(a, 3);
        DeviceArray b = tested.memory().allocate(DType.F32, 1);
        tested.memory().fill(b, 2);
        tested.math().gemm(Gemm.dense(false, false, 1, 1, 1), a, b, c);
        tested.memory().fill(a, 100);
        tested.math().gemm(Gemm.dense(false, false, 1, 1, 1).withScalars(0.5f, 1), a, b, c);
        float[] result = new float[1];
        tested.memory().download(c, result, 0);
        assertThat(result[0]).isCloseTo(106, within(0f));
        for (DeviceArray array : new DeviceArray[] {a, b, c}) {
            array.release();
        }
    }

    /** The stand-in refuses, in a capture, a kind of product that it was not asked for before. */
    @ParameterizedTest
    @CsvSource({
        "false, false, 1",
        "true, false, 1",
        "false, true, 1",
        "true, true, 1",
        "false, true, 3",
        "true, false, 3"
    })
    void theFirstProductMayBeInACapture(boolean transposeA, boolean transposeB, int batch) {
        for (String precision : new String[] {"float32", "tf32"}) {
            try (Backend backend = Simulator.open(with("cublas", "on", "precision", precision))) {
                DeviceArray a = backend.memory().allocate(DType.F32, batch * 4L);
                DeviceArray b = backend.memory().allocate(DType.F32, batch * 4L);
                DeviceArray c = backend.memory().allocate(DType.F32, batch * 4L);
                backend.memory().fill(a, 3);
                backend.memory().fill(b, 2);
                Gemm product = Gemm.batched(transposeA, transposeB, 2, 2, 2, batch);
                try (CapturedStep step = backend.capture(() -> backend.math().gemm(product, a, b, c))) {
                    step.replay();
                }
                float[] result = new float[batch * 4];
                backend.memory().download(c, result, 0);
                assertThat(result).containsOnly(12);
                for (DeviceArray array : new DeviceArray[] {a, b, c}) {
                    array.release();
                }
            }
        }
    }

    @Test
    void aFailingProductIsNamed() {
        Simulator.assumeSimulated();
        try (Backend backend = open()) {
            Simulator.fail("cublasSgemmStridedBatched", 1, cublasStatus.CUBLAS_STATUS_ALLOC_FAILED);
            assertThatThrownBy(() -> multiply(backend, 5))
                    .isInstanceOf(DeviceException.class)
                    .hasMessageContaining("cublasSgemmStridedBatched failed in gemm (of Gemm[transposeA=false")
                    .hasMessageContaining("m=5, n=5, k=5")
                    .hasMessageContaining("CUBLAS_STATUS_ALLOC_FAILED")
                    .hasMessageContaining("device simulated on the CPU");
            assertThat(multiply(backend, 5)).hasSize(25);
        }
    }

    @Test
    void afterAKernelOfTheLibraryFailedTheBackendIsLost() {
        Simulator.assumeSimulated();
        Backend backend = open();
        Simulator.fail("cublasSgemmStridedBatched", 1, cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED);
        assertThatThrownBy(() -> multiply(backend, 5)).hasMessageContaining("CUBLAS_STATUS_EXECUTION_FAILED");
        assertThatThrownBy(() -> multiply(backend, 5))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("lost")
                .hasMessageContaining("CUBLAS_STATUS_EXECUTION_FAILED");
        backend.close();
    }

    /** A B, where both are the same uniform numbers from -1 to 1 each time. */
    private static float[] multiply(Backend backend, int size) {
        SplittableRandom random = new SplittableRandom(1);
        float[] values = new float[size * size];
        DeviceArray[] arrays = new DeviceArray[3];
        for (int i = 0; i < 3; i++) {
            arrays[i] = backend.memory().allocate(DType.F32, values.length);
            for (int j = 0; j < values.length; j++) {
                values[j] = (float) random.nextDouble(-1, 1);
            }
            backend.memory().upload(values, 0, arrays[i]);
        }
        try {
            backend.math().gemm(Gemm.dense(false, false, size, size, size), arrays[0], arrays[1], arrays[2]);
            backend.memory().download(arrays[2], values, 0);
        } finally {
            for (DeviceArray array : arrays) {
                array.release();
            }
        }
        return values;
    }
}
