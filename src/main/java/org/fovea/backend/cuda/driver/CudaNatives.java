// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jcuda.LibUtils;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import org.fovea.backend.BackendUnavailableException;

/**
 * Loads the driver library, cuBLAS and JCuda's native code. JCuda alone would unpack itself into the shared temporary
 * directory under a fixed name and trust whatever file it finds there; here it goes to the {@link NativeCache}.
 */
public final class CudaNatives {

    /**
     * System property with the path of a {@code libcuda.so.1} to use in place of the system's. A {@code libcublas.so.12}
     * is then looked for next to it and nowhere else.
     */
    public static final String DRIVER_PROPERTY = "fovea.cuda.driver";

    /**
     * System property with what the simulated driver runs: {@code source}, the kernels as g++ compiled them, or {@code ptx},
     * those of the image as nvcc compiled them. Without it the environment variable FOVEA_SIMULATOR says so, or it is source.
     */
    public static final String SIMULATOR_PROPERTY = "fovea.cuda.simulator";

    /** System property with the path of a file to which the simulated driver writes what it counted in each launch from PTX. */
    public static final String PROFILE_PROPERTY = "fovea.cuda.simulator.profile";

    /** The values of {@link #SIMULATOR_PROPERTY}. */
    public static final List<String> SIMULATORS = List.of("source", "ptx");

    public static final String CUBLAS = "libcublas.so.12";

    private static final String VERSION = "-12.6.0";

    private static boolean driverLoaded;
    private static boolean cublasLoaded;

    private CudaNatives() {}

    /**
     * Loads the driver and JCuda; the second time nothing.
     *
     * @throws UnsatisfiedLinkError if there is no driver, naming the library
     */
    public static synchronized void load() {
        if (driverLoaded) {
            return;
        }
        String driver = System.getProperty(DRIVER_PROPERTY);
        if (driver != null) {
            loadFile(Path.of(driver).toAbsolutePath(), "-D" + DRIVER_PROPERTY + " is not a file: ");
        }
        loadJCuda("JCudaDriver", () -> JCudaDriver.setExceptionsEnabled(false));
        chooseSimulator();
        driverLoaded = true;
    }

    /** Tells the simulated driver, by globals that every module of it has, what to run and count. */
    private static void chooseSimulator() {
        String simulator = System.getProperty(SIMULATOR_PROPERTY);
        if (simulator == null) {
            return;
        }
        if (!SIMULATORS.contains(simulator)) {
            throw new BackendUnavailableException("-D" + SIMULATOR_PROPERTY + " is source or ptx, not " + simulator);
        }
        tell("simulator_kernels", simulator);
        String profile = System.getProperty(PROFILE_PROPERTY);
        if (profile != null) {
            tell("simulator_profile", profile);
        }
    }

    private static void tell(String name, String value) {
        byte[] text = (value + "\0").getBytes(StandardCharsets.UTF_8);
        ByteBuffer buffer = ByteBuffer.allocateDirect(text.length).put(text).flip();
        CUdeviceptr global = new CUdeviceptr();
        long[] capacity = new long[1];
        int result = JCudaDriver.cuModuleGetGlobal(global, capacity, new CUmodule(), name);
        if (result == CUresult.CUDA_SUCCESS && text.length > capacity[0]) {
            throw new BackendUnavailableException(
                    value + " is longer than the " + capacity[0] + " bytes that the simulated driver takes");
        }
        if (result == CUresult.CUDA_SUCCESS) {
            result = JCudaDriver.cuMemcpyHtoD(global, Pointer.to(buffer), text.length);
        }
        if (result != CUresult.CUDA_SUCCESS) {
            throw new BackendUnavailableException("-D" + SIMULATOR_PROPERTY + " is for the simulated driver, and -D"
                    + DRIVER_PROPERTY + " names none: " + CudaContext.describe(result));
        }
    }

    /**
     * Loads cuBLAS and JCublas; the second time nothing. Where the system has no cuBLAS, that of the redistribution is
     * taken, if it is on the class path.
     *
     * @throws UnsatisfiedLinkError if there is no cuBLAS, in one line
     */
    public static synchronized void loadCublas() {
        if (cublasLoaded) {
            return;
        }
        String driver = System.getProperty(DRIVER_PROPERTY);
        if (driver != null) {
            loadFile(
                    Path.of(driver).toAbsolutePath().resolveSibling(CUBLAS),
                    CUBLAS + " was not found beside the driver: ");
        }
        if (!systemHasCublas()) {
            if (CublasRedistribution.jar() == null) {
                throw new UnsatisfiedLinkError(CUBLAS + " was not found");
            }
            CublasRedistribution.load();
            loadJCuda("JCublas2", () -> JCublas2.setExceptionsEnabled(false));
        }
        cublasLoaded = true;
    }

    /**
     * Whether the dynamic linker finds cuBLAS by itself; it is then loaded.
     *
     * @throws UnsatisfiedLinkError if it finds one that does not load
     */
    public static synchronized boolean systemHasCublas() {
        try {
            loadJCuda("JCublas2", () -> JCublas2.setExceptionsEnabled(false));
            return true;
        } catch (UnsatisfiedLinkError e) {
            if (String.valueOf(e.getMessage()).contains(CUBLAS + ": cannot open")) {
                return false;
            }
            throw e;
        }
    }

    private static void loadFile(Path library, String complaint) {
        if (!Files.isRegularFile(library)) {
            throw new UnsatisfiedLinkError(complaint + library);
        }
        System.load(library.toString());
    }

    private static void loadJCuda(String library, Runnable initializer) {
        String name = LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName(library + VERSION));
        byte[] content = resource("/lib/" + name);
        Path directory = NativeCache.unpack(content, name);
        // Loaded by hand first: the error then names the missing library in one line, where JCuda's has twenty.
        System.load(directory.resolve(name).toString());
        initialize(directory, initializer);
    }

    /** JCuda's initialisers look for their unpacked library in the temporary directory of that moment. */
    private static void initialize(Path directory, Runnable initializer) {
        String before = System.getProperty("java.io.tmpdir");
        System.setProperty("java.io.tmpdir", directory.toString());
        try {
            initializer.run();
        } finally {
            System.setProperty("java.io.tmpdir", before);
        }
    }

    private static byte[] resource(String path) {
        try (InputStream in = JCudaDriver.class.getResourceAsStream(path)) {
            if (in == null) {
                throw new UnsatisfiedLinkError("JCuda has no native library for this platform (" + path
                        + "); Fovea's CUDA backend runs on Linux x86-64");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("reading " + path, e);
        }
    }
}
