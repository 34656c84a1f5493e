// SPDX-License-Identifier: Apache-2.0
package org.fovea.bench;

import java.util.concurrent.TimeUnit;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The host's side of an operation on the cuda backend: checks, parameters and the call of the driver. To be run where
 * the device costs nothing, on the simulated driver that takes launches and does nothing:
 *
 * <pre>
 *   FOVEA_SIMULATOR_NO_RUN=1 mvn -q -B -Pbench -DskipTests verify \
 *       -Djmh.args="LaunchBenchmark -jvmArgsAppend -Dfovea.cuda.driver=target/native-tests/libcuda.so.1"
 * </pre>
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class LaunchBenchmark {
    private static final int SIZE = 4;
    private static final int[] SHAPE = {SIZE, SIZE};
    private static final int[] STRIDE = {SIZE, 1};
    private static final int[] PER_COLUMN = {0, 1};
    private static final Gemm PRODUCT = Gemm.dense(false, false, SIZE, SIZE, SIZE);

    private Backend backend;
    private DeviceArray x;
    private DeviceArray y;
    private DeviceArray z;
    private DeviceArray row;
    private LayerNormArgs<DeviceArray> layerNorm;
    private CapturedStep step;

    /** Opens the backend on the thread that measures. */
    @Setup(Level.Trial)
    public void open() {
        use(Backends.open("cuda", 1).backend());
    }

    /** Measures {@code opened}. */
    public void use(Backend opened) {
        backend = opened;
        x = backend.memory().allocate(DType.F32, SIZE * SIZE);
        y = backend.memory().allocate(DType.F32, SIZE * SIZE);
        z = backend.memory().allocate(DType.F32, SIZE * SIZE);
        row = backend.memory().allocate(DType.F32, SIZE);
        DeviceArray mean = backend.memory().allocate(DType.F32, SIZE);
        DeviceArray reciprocalStd = backend.memory().allocate(DType.F32, SIZE);
        layerNorm = new LayerNormArgs<>(SIZE, SIZE, x, row, mean, reciprocalStd);
        step = backend.capture(this::layerNorm);
    }

    /** One array in, one out. */
    @Benchmark
    public void map() {
        backend.math().map(UnaryOp.TANH, x, y);
    }

    /** Two arrays in, with strides. */
    @Benchmark
    public void zip() {
        backend.math().zip(BinaryOp.ADD, SHAPE, x, STRIDE, row, PER_COLUMN, y);
    }

    /** Strides and tilings. */
    @Benchmark
    public void gemm() {
        backend.math().gemm(PRODUCT, x, y, z);
    }

    /** Six arrays. */
    @Benchmark
    public void layerNorm() {
        backend.math().layerNorm(layerNorm, 1e-5f, row, y);
    }

    /** No kernel, but a memset. */
    @Benchmark
    public void fill() {
        backend.memory().fill(x, 1);
    }

    /** No kernel, but a copy. */
    @Benchmark
    public void copy() {
        backend.memory().copy(x, z);
    }

    /** A captured step, which is one launch however long it is. */
    @Benchmark
    public void replay() {
        step.replay();
    }

    /** Frees everything. */
    @TearDown(Level.Trial)
    public void close() {
        backend.close();
    }
}
