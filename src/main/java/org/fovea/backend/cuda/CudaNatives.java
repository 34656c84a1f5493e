package org.fovea.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import jcuda.LibUtils;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * Loads the driver library and JCuda's native code. JCuda alone would unpack itself into the shared temporary directory
 * under a fixed name and trust whatever file it finds there; here it goes into a directory of the user's own, named by
 * its content, and arrives by an atomic move, so that several JVMs may start at once.
 */
final class CudaNatives {

    /** System property with the path of a {@code libcuda.so.1} to use in place of the system's. */
    static final String DRIVER_PROPERTY = "fovea.cuda.driver";

    private static boolean loaded;

    private CudaNatives() {}

    /**
     * Loads everything; the second time nothing.
     *
     * @throws UnsatisfiedLinkError if there is no driver, naming the library
     */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        String driver = System.getProperty(DRIVER_PROPERTY);
        if (driver != null) {
            System.load(Path.of(driver).toAbsolutePath().toString());
        }
        String name = LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName("JCudaDriver-12.6.0"));
        byte[] content = resource("/lib/" + name);
        Path directory = unpack(content, name);
        // Loaded by hand first: the error then names libcuda.so.1 in one line, where JCuda's has twenty.
        System.load(directory.resolve(name).toString());
        initializeJCuda(directory);
        loaded = true;
    }

    /** JCuda's initialiser looks for its unpacked library in the temporary directory of that moment. */
    private static void initializeJCuda(Path directory) {
        String before = System.getProperty("java.io.tmpdir");
        System.setProperty("java.io.tmpdir", directory.toString());
        try {
            JCudaDriver.setExceptionsEnabled(false);
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

    /** Where the library now lies. */
    private static Path unpack(byte[] content, String name) {
        try {
            Path directory = directory().resolve(hash(content));
            Files.createDirectories(directory);
            Path target = directory.resolve(name);
            if (!Files.isRegularFile(target) || !Arrays.equals(Files.readAllBytes(target), content)) {
                Path temporary = Files.createTempFile(directory, name, ".tmp");
                Files.write(temporary, content);
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
            return directory;
        } catch (IOException e) {
            throw new UncheckedIOException("unpacking " + name + "; set XDG_CACHE_HOME to a writable directory", e);
        }
    }

    private static Path directory() throws IOException {
        @Nullable String cache = System.getenv("XDG_CACHE_HOME");
        Path base =
                cache != null && !cache.isEmpty() ? Path.of(cache) : Path.of(System.getProperty("user.home"), ".cache");
        Path natives = base.resolve("fovea").resolve("natives");
        try {
            return Files.createDirectories(
                    natives, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            // A home that can't be written to, as in some containers.
            return Files.createTempDirectory("fovea-natives");
        }
    }

    private static String hash(byte[] content) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(content);
            return HexFormat.of().formatHex(digest, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }
}
