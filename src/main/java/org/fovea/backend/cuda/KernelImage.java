package org.fovea.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The compiled kernels in this jar, made by {@code kernels/build.sh}. */
final class KernelImage {

    /** System property with the path of an image to use in place of the jar's. */
    static final String IMAGE_PROPERTY = "fovea.cuda.image";

    private static final String FATBIN = "fovea.fatbin";
    private static final String DESCRIPTION = "kernels.txt";

    private KernelImage() {}

    static boolean isPresent() {
        return System.getProperty(IMAGE_PROPERTY) != null || KernelImage.class.getResource(FATBIN) != null;
    }

    /** For which architectures the kernels were built, or why they were not. */
    static String description() {
        byte[] text = resource(DESCRIPTION);
        return text == null ? "kernels/build.sh was not run" : new String(text, StandardCharsets.UTF_8).strip();
    }

    /** The image in a direct buffer. */
    static ByteBuffer load() {
        byte[] content = content();
        return ByteBuffer.allocateDirect(content.length).put(content).flip();
    }

    private static byte[] content() {
        String path = System.getProperty(IMAGE_PROPERTY);
        if (path != null) {
            try {
                return Files.readAllBytes(Path.of(path));
            } catch (IOException e) {
                throw new UncheckedIOException("reading the kernels from " + path + " (" + IMAGE_PROPERTY + ")", e);
            }
        }
        byte[] content = resource(FATBIN);
        if (content == null) {
            throw new IllegalStateException("this jar has no CUDA kernels: " + description());
        }
        return content;
    }

    private static byte @Nullable [] resource(String name) {
        try (InputStream in = KernelImage.class.getResourceAsStream(name)) {
            return in == null ? null : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("reading " + name + " from the jar", e);
        }
    }
}
