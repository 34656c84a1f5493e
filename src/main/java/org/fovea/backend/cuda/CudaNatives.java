package org.fovea.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import jcuda.LibUtils;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import org.jspecify.annotations.Nullable;

/**
 * Loads the driver library, cuBLAS and JCuda's native code. JCuda alone would unpack itself into the shared temporary
 * directory under a fixed name and trust whatever file it finds there; here it goes into a directory of the user's own,
 * named by its content, and arrives by an atomic move, so that several JVMs may start at once.
 */
final class CudaNatives {

    /**
     * System property with the path of a {@code libcuda.so.1} to use in place of the system's. A {@code libcublas.so.12}
     * is then looked for beside it and nowhere else.
     */
    static final String DRIVER_PROPERTY = "fovea.cuda.driver";

    private static final String CUBLAS = "libcublas.so.12";
    private static final String VERSION = "-12.6.0";

    private static boolean driverLoaded;
    private static boolean cublasLoaded;

    private CudaNatives() {}

    /**
     * Loads the driver and JCuda; the second time nothing.
     *
     * @throws UnsatisfiedLinkError if there is no driver, naming the library
     */
    static synchronized void load() {
        if (driverLoaded) {
            return;
        }
        String driver = System.getProperty(DRIVER_PROPERTY);
        if (driver != null) {
            loadFile(Path.of(driver).toAbsolutePath(), "-D" + DRIVER_PROPERTY + " is not a file: ");
        }
        loadJCuda("JCudaDriver", () -> JCudaDriver.setExceptionsEnabled(false));
        driverLoaded = true;
    }

    /**
     * Loads cuBLAS and JCublas; the second time nothing.
     *
     * @throws UnsatisfiedLinkError if there is no cuBLAS, in one line
     */
    static synchronized void loadCublas() {
        if (cublasLoaded) {
            return;
        }
        String driver = System.getProperty(DRIVER_PROPERTY);
        if (driver != null) {
            loadFile(
                    Path.of(driver).toAbsolutePath().resolveSibling(CUBLAS),
                    CUBLAS + " was not found beside the driver: ");
        }
        try {
            loadJCuda("JCublas2", () -> JCublas2.setExceptionsEnabled(false));
        } catch (UnsatisfiedLinkError e) {
            String message = String.valueOf(e.getMessage());
            throw message.contains(CUBLAS + ": cannot open") ? new UnsatisfiedLinkError(CUBLAS + " was not found") : e;
        }
        cublasLoaded = true;
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
        Path directory = unpack(content, name);
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

    /** The directory where the library now lies: in the user's cache, or where that can't be written to, in a temporary directory. */
    private static Path unpack(byte[] content, String name) {
        try {
            return unpack(content, name, cache());
        } catch (IOException unwritable) {
            try {
                Path base = Files.createTempDirectory("fovea-natives");
                Path directory = unpack(content, name, base);
                for (Path path : List.of(base, directory, directory.resolve(name))) {
                    path.toFile().deleteOnExit(); // the last one first
                }
                return directory;
            } catch (IOException e) {
                e.addSuppressed(unwritable);
                throw new UncheckedIOException(
                        "unpacking " + name + "; set XDG_CACHE_HOME to a directory that can be written to", e);
            }
        }
    }

    private static Path unpack(byte[] content, String name, Path base) throws IOException {
        Path directory = Files.createDirectories(base.resolve(Sha256.of(content)));
        Path target = directory.resolve(name);
        if (!Files.isRegularFile(target) || !Arrays.equals(Files.readAllBytes(target), content)) {
            Path temporary = Files.createTempFile(directory, name, ".tmp");
            try {
                Files.write(temporary, content);
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(temporary);
            }
        }
        return directory;
    }

    private static Path cache() throws IOException {
        @Nullable String cache = System.getenv("XDG_CACHE_HOME");
        Path base =
                cache != null && !cache.isEmpty() ? Path.of(cache) : Path.of(System.getProperty("user.home"), ".cache");
        return Files.createDirectories(
                base.resolve("fovea").resolve("natives"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
}
