// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import jcuda.driver.CUresult;
import org.fovea.backend.BackendUnavailableException;
import org.jspecify.annotations.Nullable;

/** The compiled kernels in this jar, made by {@code kernels/build.sh}. */
public final class KernelImage {

    /** System property with the path of an image to use in place of the jar's. */
    public static final String IMAGE_PROPERTY = "fovea.cuda.image";

    /** After the path of such an image, that of its description, which it need not have. */
    private static final String DESCRIPTION_SUFFIX = ".txt";

    private static final String FATBIN = "/org/fovea/backend/cuda/fovea.fatbin";
    private static final String PTX = "/org/fovea/backend/cuda/fovea.ptx";

    /** A line for people, then one each that begins with a key of those below. Without kernels only the line: why not. */
    private static final String DESCRIPTION = "/org/fovea/backend/cuda/kernels.txt";

    private static final String DRIVER_KEY = "driver ";
    private static final String SHA256_KEY = "sha256 ";

    /** What JCuda 12.6 was built against. */
    private static final Driver LEAST_DRIVER = new Driver(12000, "525");

    /** Magic number, version (2 bytes), bytes of this header (2 bytes), bytes that follow it (8 bytes). */
    private static final int HEADER_BYTES = 16;

    private static final int MAGIC = 0xBA55ED50;

    private KernelImage() {}

    /**
     * A driver that is new enough.
     *
     * @param version as cuDriverGetVersion gives it: 12040 for CUDA 12.4
     * @param release of NVIDIA's drivers that it comes with first, such as 525 or 550.54
     */
    public record Driver(int version, String release) {
        /** Under which the driver is known to package managers. */
        public String majorRelease() {
            return release.replaceAll("\\..*", "");
        }

        @Override
        public String toString() {
            return "driver " + release + " or newer (CUDA " + CudaContext.dotted(version) + ")";
        }
    }

    public static boolean isPresent() {
        return System.getProperty(IMAGE_PROPERTY) != null || KernelImage.class.getResource(FATBIN) != null;
    }

    /** Whether it is known for what the image was built. */
    public static boolean isDescribed() {
        String path = System.getProperty(IMAGE_PROPERTY);
        return path == null || Files.exists(Path.of(path + DESCRIPTION_SUFFIX));
    }

    /** For which architectures the kernels were built, or why they were not. */
    public static String description() {
        return lines().get(0);
    }

    /** The source of a device's code. */
    public enum Code {
        /** Compiled for it beforehand. */
        MACHINE_CODE,
        /** Translated by the driver at the first use. */
        PTX
    }

    /**
     * What a device of an architecture gets from this jar's image with a driver of this version. Machine code runs on later
     * members of its major architecture too, that of a name with an 'a' on that one member alone.
     */
    public static Code codeFor(int architecture, InstalledDriver driver) {
        boolean isBuilt = Stream.of(description().split(",")[0].split(" "))
                .filter(name -> name.startsWith("sm_"))
                .anyMatch(name -> runs(name.substring("sm_".length()), architecture));
        return isBuilt && driver.isAtLeast(machineCodeDriver()) ? Code.MACHINE_CODE : Code.PTX;
    }

    private static boolean runs(String built, int architecture) {
        if (built.endsWith("a")) {
            return built.equals(architecture + "a");
        }
        int from = Integer.parseInt(built);
        return from / 10 == architecture / 10 && from <= architecture;
    }

    /** The oldest driver that can run the kernels: it takes PTX as old as itself, if not the machine code. */
    public static Driver leastDriver() {
        boolean hasPtx = KernelImage.class.getResource(PTX) != null;
        return hasPtx || System.getProperty(IMAGE_PROPERTY) != null ? LEAST_DRIVER : machineCodeDriver();
    }

    /**
     * The oldest driver that takes the machine code: the first of the major release of CUDA whose compiler made it, or the
     * first that knows how that compiler compresses it.
     */
    public static Driver machineCodeDriver() {
        String value = value(DRIVER_KEY);
        if (value == null) {
            return LEAST_DRIVER;
        }
        String[] parts = value.split(" ", 2);
        return new Driver(Integer.parseInt(parts[0]), parts[1]);
    }

    /** Whether this result of loading an image says that it does not suit the device or its driver. */
    static boolean isRefusedBy(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU,
                    CUresult.CUDA_ERROR_INVALID_IMAGE,
                    CUresult.CUDA_ERROR_INVALID_PTX,
                    CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
                    CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND,
                    CUresult.CUDA_ERROR_JIT_COMPILATION_DISABLED -> true;
            default -> false;
        };
    }

    /**
     * The images for a driver, in direct buffers: machine code with PTX, or PTX alone, which the driver translates at the
     * first use, where the machine code is too new for it.
     *
     * @throws BackendUnavailableException if it is not what the compiler wrote; a driver would read beyond its end
     */
    static List<ByteBuffer> load(InstalledDriver driver) {
        String path = System.getProperty(IMAGE_PROPERTY);
        if (path == null && !driver.isAtLeast(machineCodeDriver())) {
            byte[] ptx = required(PTX);
            return List.of(direct(ptx, 0, ptx.length));
        }
        byte[] content = intactFatbins(path);
        List<ByteBuffer> images = new ArrayList<>();
        for (int start = 0; start < content.length; ) {
            int size = (int) fatbinSize(content, start);
            images.add(direct(content, start, size));
            start += size;
        }
        return images;
    }

    /**
     * Looks at the image without a driver.
     *
     * @throws BackendUnavailableException as {@link #load} does
     */
    public static void verify() {
        intactFatbins(System.getProperty(IMAGE_PROPERTY));
    }

    private static byte[] intactFatbins(@Nullable String path) {
        byte[] content = path == null ? required(FATBIN) : read(path);
        String problem = problem(content, value(SHA256_KEY));
        if (problem != null) {
            throw new BackendUnavailableException("the CUDA kernels in " + (path == null ? "this jar" : path)
                    + " are damaged: " + problem + "; build them again");
        }
        return content;
    }

    /** With the zero after it that ends a text. */
    private static ByteBuffer direct(byte[] content, int start, int size) {
        return ByteBuffer.allocateDirect(size + 1).put(content, start, size).rewind();
    }

    private static byte[] required(String name) {
        byte[] content = resource(name);
        if (content == null) {
            throw new BackendUnavailableException("this build has no CUDA kernels: " + description());
        }
        return content;
    }

    /** What is wrong with fatbins that lie one behind the other; null if nothing is. */
    static @Nullable String problem(byte[] content, @Nullable String sha256) {
        if (content.length < HEADER_BYTES) {
            return content.length + " bytes are too few for a fatbin";
        }
        for (int start = 0; start < content.length; ) {
            if (content.length - start < HEADER_BYTES || header(content, start).getInt(0) != MAGIC) {
                return start == 0 ? "this is not a fatbin" : "there is no fatbin at byte " + start;
            }
            long size = fatbinSize(content, start);
            if (size < HEADER_BYTES || size > content.length - start) {
                return "the file has " + content.length + " bytes, the header at byte " + start + " says " + size;
            }
            start += (int) size;
        }
        return sha256 == null || sha256.equals(Sha256.of(content)) ? null : "their checksum differs from the build's";
    }

    private static ByteBuffer header(byte[] content, int start) {
        return ByteBuffer.wrap(content, start, HEADER_BYTES).slice().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Bytes of the fatbin that begins at {@code start}, with its header. */
    private static long fatbinSize(byte[] content, int start) {
        ByteBuffer header = header(content, start);
        return Short.toUnsignedLong(header.getShort(6)) + header.getLong(8);
    }

    private static List<String> lines() {
        String path = System.getProperty(IMAGE_PROPERTY);
        if (path != null && !isDescribed()) {
            return List.of(path);
        }
        byte[] text = path == null ? resource(DESCRIPTION) : read(path + DESCRIPTION_SUFFIX);
        return text == null
                ? List.of("kernels/build.sh was not run")
                : new String(text, StandardCharsets.UTF_8).strip().lines().toList();
    }

    /** What follows a key in the description; null if the key is not there. */
    private static @Nullable String value(String key) {
        return lines().stream()
                .filter(line -> line.startsWith(key))
                .map(line -> line.substring(key.length()))
                .findFirst()
                .orElse(null);
    }

    private static byte[] read(String path) {
        try {
            return Files.readAllBytes(Path.of(path));
        } catch (IOException e) {
            throw new UncheckedIOException("reading the kernels from " + path + " (" + IMAGE_PROPERTY + ")", e);
        }
    }

    private static byte @Nullable [] resource(String name) {
        try (InputStream in = KernelImage.class.getResourceAsStream(name)) {
            return in == null ? null : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("reading " + name + " from the jar", e);
        }
    }
}
