// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ServiceLoader;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.nd4j.cuda.CudaDeviceArrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.jita.allocator.impl.AtomicAllocator;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** The bridge to nd4j-cuda on the simulated driver, nd4j-cuda's allocator being a stand-in. */
final class DeviceSharingTest {
    private static final Path SIMULATOR = Path.of("..", "target", "native-tests");

    /** nd4j-cuda's bridge, told that it is in use, and where arrays are. */
    private static final class InUse implements DeviceArrays {
        private final CudaDeviceArrays bridge = new CudaDeviceArrays();
        private int device;
        private int addresses;

        @Override
        public boolean isActive() {
            return true;
        }

        @Override
        public int device(INDArray array) {
            return device;
        }

        @Override
        public long address(INDArray array) {
            addresses++;
            return bridge.address(array);
        }

        @Override
        public long stream() {
            return bridge.stream();
        }

        @Override
        public void written(INDArray array) {
            bridge.written(array);
        }
    }

    private final InUse arrays = new InUse();
    private AttentionEngine engine;

    @BeforeEach
    void open() {
        Path driver = SIMULATOR.resolve("libcuda.so.1");
        assumeTrue(Files.exists(driver), "no CUDA simulator: make -C native-tests driver");
        System.setProperty("fovea.cuda.driver", driver.toAbsolutePath().toString());
        System.setProperty(
                "fovea.cuda.image",
                SIMULATOR.resolve("simulated.fatbin").toAbsolutePath().toString());
        engine = AttentionEngine.open("cuda", BackendSettings.DEFAULT, arrays);
        AtomicAllocator.getInstance().open();
    }

    @AfterEach
    void close() {
        if (engine != null) {
            AtomicAllocator.getInstance().close();
            engine.close();
        }
    }

    private static AttentionCall<INDArray> call(DataType type, Arrays4 way) {
        return FusedAttention.call(
                way.normal(type, 1, 2, 2, 5, 8),
                way.normal(type, 2, 2, 2, 5, 8),
                way.normal(type, 3, 2, 2, 5, 8),
                AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT));
    }

    private static INDArray read(INDArray array) {
        AtomicAllocator.getInstance().synchronizeHostData(array);
        return array;
    }

    private static void compare(INDArray found, INDArray expected) {
        assertThat(read(found)
                        .castTo(DataType.DOUBLE)
                        .sub(expected.castTo(DataType.DOUBLE))
                        .amaxNumber()
                        .doubleValue())
                .isLessThan(found.dataType() == DataType.FLOAT ? 1e-5 : 2e-2);
    }

    @ParameterizedTest
    @EnumSource(Arrays4.class)
    void arraysAreReadAndWrittenWhereTheyLie(Arrays4 way) {
        AttentionCall<INDArray> call = call(DataType.FLOAT, way);
        INDArray output = way.empty(DataType.FLOAT, call.query().shape());
        AttentionPlane<INDArray> dOutputs = AttentionPlane.outputs(way.normal(DataType.FLOAT, 5, 2, 2, 5, 8), null);
        // On the device, as of what its stream has done when the kernels run.
        engine.forward(call, AttentionPlane.outputs(output, null));
        assertThat(arrays.addresses).isEqualTo(4);
        assertThat(AtomicAllocator.getInstance().isHostOld(output)).isTrue();
        assertThat(AtomicAllocator.getInstance().isHostOld(call.query())).isFalse();
        compare(output, FusedAttention.forward(call).output());
        AttentionPlane<INDArray> expected = FusedAttention.backward(call, dOutputs);
        AttentionPlane<INDArray> found = engine.backward(call, dOutputs);
        compare(found.query(), expected.query());
        compare(found.key(), expected.key());
        compare(found.value(), expected.value());
    }

    @Test
    void halvesThatLieApartGoThroughTheHost() {
        for (DataType type : new DataType[] {DataType.HALF, DataType.BFLOAT16}) {
            for (Arrays4 way : new Arrays4[] {Arrays4.C, Arrays4.STRIDED}) {
                AttentionCall<INDArray> call = call(type, way);
                compare(
                        engine.forward(call).output(),
                        FusedAttention.forward(call).output());
            }
        }
    }

    /** The output is the query: kernels may not write what others of them still read. */
    @Test
    void anArrayMayBeReadAndWritten() {
        AttentionCall<INDArray> call = call(DataType.FLOAT, Arrays4.C);
        INDArray expected = FusedAttention.forward(call).output();
        engine.forward(call, AttentionPlane.outputs(call.query(), null));
        compare(call.query(), expected);
    }

    @Test
    void doublesAreComputedOnTheHost() {
        AttentionCall<INDArray> call = call(DataType.DOUBLE, Arrays4.VIEW);
        compare(engine.forward(call).output(), FusedAttention.forward(call).output());
        assertThat(arrays.addresses).isZero();
    }

    @Test
    void anArrayOfAnotherDeviceIsRefused() {
        arrays.device = 1;
        assertThatThrownBy(() -> engine.forward(call(DataType.FLOAT, Arrays4.C)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("query is FLOAT [2, 2, 5, 8]")
                .hasMessageContaining("on device 1")
                .hasMessageContaining("runs on device 0")
                .hasMessageContaining("replicateToDevice");
    }

    @Test
    void theBridgeIsFoundAndAsleepWithoutNd4jCuda() {
        assertThat(ServiceLoader.load(DeviceArrays.class))
                .singleElement()
                .isInstanceOfSatisfying(
                        CudaDeviceArrays.class,
                        bridge -> assertThat(bridge.isActive()).isFalse());
        assertThat(Nd4j.getBackend().getClass().getName()).contains("CpuBackend");
    }
}
