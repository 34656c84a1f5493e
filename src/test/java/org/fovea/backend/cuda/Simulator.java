// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static jcuda.driver.JCudaDriver.cuModuleGetGlobal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import jcuda.Pointer;
import jcuda.driver.CUmodule;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.cuda.driver.CudaNatives;
import org.fovea.backend.cuda.driver.DevicePointer;
import org.fovea.backend.cuda.driver.KernelImage;

/**
 * Opens the cuda backend on the simulated driver that native-tests/build.sh makes, or, with -Dfovea.test.gpu=true, on the
 * machine's own. With -Dfovea.cuda.simulator=ptx the simulated driver runs what nvcc made of the kernels, in all tests. Also
 * steers the simulation, through globals that every simulated module has.
 */
public final class Simulator {
    private static final boolean GPU = Boolean.getBoolean("fovea.test.gpu");
    private static final Path DIRECTORY = Path.of("target", "native-tests");
    private static final Path DRIVER = DIRECTORY.resolve("libcuda.so.1");

    /** The kernels' PTX, with the lines of their source. Not there if there was no nvcc. */
    private static final Path PTX = Path.of("target", "kernels", "lines.fatbin");

    private static final boolean RUNS_PTX = "ptx".equals(System.getProperty(CudaNatives.SIMULATOR_PROPERTY));

    private Simulator() {}

    /** A backend; the test is skipped, with the reason, where neither simulator nor GPU is there. */
    public static Backend open() {
        return open(BackendSettings.DEFAULT);
    }

    /** {@link #open()}, with settings. */
    public static Backend open(BackendSettings settings) {
        load();
        return new CudaBackendProvider().open(settings);
    }

    /** A backend on the simulator, which runs the kernels from their PTX while it is open. No other may be open. */
    public static Backend openFromPtx() {
        assumePtx();
        return openFromPtx(PTX);
    }

    /** The same with another image. */
    public static Backend openFromPtx(Path ptx) {
        assumeSimulated();
        load();
        String image = System.getProperty(KernelImage.IMAGE_PROPERTY);
        System.setProperty(KernelImage.IMAGE_PROPERTY, ptx.toString());
        write("simulator_kernels", "ptx");
        try {
            return new CudaBackendProvider().open(BackendSettings.DEFAULT);
        } finally {
            write("simulator_kernels", RUNS_PTX ? "ptx" : "source");
            if (image == null) {
                System.clearProperty(KernelImage.IMAGE_PROPERTY);
            } else {
                System.setProperty(KernelImage.IMAGE_PROPERTY, image);
            }
        }
    }

    private static void assumePtx() {
        assumeTrue(Files.exists(PTX), "no PTX of the kernels, which needs nvcc: " + PTX + " is not there");
    }

    /** Loads the driver, so that it can be steered before a backend is opened. */
    public static void load() {
        if (!GPU) {
            Optional<String> missing = missing();
            assumeTrue(missing.isEmpty(), () -> missing.orElse(""));
            System.setProperty(CudaNatives.DRIVER_PROPERTY, DRIVER.toString());
            if (RUNS_PTX) {
                assumePtx();
                System.setProperty(KernelImage.IMAGE_PROPERTY, PTX.toString());
            } else if (KernelImage.class.getResource("fovea.fatbin") == null) {
                // The simulated driver has the kernels linked in; what was compiled by nvcc is not needed.
                System.setProperty(
                        KernelImage.IMAGE_PROPERTY,
                        DIRECTORY.resolve("simulated.fatbin").toString());
            }
        }
        CudaNatives.load();
    }

    /** Skips the test on a real device, which can't be told to fail. */
    public static void assumeSimulated() {
        assumeTrue(!GPU, "needs the simulator");
    }

    /** Why there is nothing to open, if so. */
    public static Optional<String> missing() {
        if (GPU || Files.exists(DRIVER)) {
            return Optional.empty();
        }
        try {
            Path skipped = DIRECTORY.resolve("skipped");
            return Optional.of("no CUDA simulator: "
                    + (Files.exists(skipped)
                            ? Files.readString(skipped).strip()
                            : "it is not built; run: make -C native-tests driver"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Makes the {@code count}-th call of a driver function from now fail with a CUresult. */
    public static void fail(String function, int count, int result) {
        write("simulator_fault", function + " " + count + " " + result);
    }

    /** Takes back a failure that has not come yet. */
    public static void failNoMore() {
        write("simulator_fault", "");
    }

    /**
     * The calls of the driver that {@code work} makes, in order: the function, and after a space the kernel or number of
     * bytes it was called for.
     */
    public static List<String> trace(Path file, Runnable work) throws IOException {
        write("simulator_trace", file.toAbsolutePath().toString());
        try {
            work.run();
        } finally {
            write("simulator_trace", "");
        }
        return Files.readAllLines(file);
    }

    private static void write(String global, String text) {
        byte[] bytes = (text + "\0").getBytes(StandardCharsets.UTF_8);
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        assertThat(cuMemcpyHtoD(global(global), Pointer.to(buffer), bytes.length))
                .isZero();
    }

    /** How often {@code work} calls a driver function: so far down has the count of a fault gone that is never reached. */
    public static int calls(String function, Runnable work) {
        int never = 1_000_000_000;
        fail(function, never, 0);
        work.run();
        ByteBuffer plan = read("simulator_fault", 128);
        String[] words = StandardCharsets.US_ASCII.decode(plan).toString().split("[ \0]");
        fail("none", 1, 0);
        return never - Integer.parseInt(words[1]);
    }

    /** Device and pinned memory that was not freed, and graphs that were not destroyed. */
    public static long allocations() {
        return read("simulator_allocations", Long.BYTES).getLong(0);
    }

    private static ByteBuffer read(String global, int bytes) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
        assertThat(cuMemcpyDtoH(Pointer.to(buffer), global(global), bytes)).isZero();
        return buffer;
    }

    private static DevicePointer global(String name) {
        DevicePointer address = new DevicePointer();
        assertThat(cuModuleGetGlobal(address, new long[1], new CUmodule(), name))
                .isZero();
        return address;
    }
}
