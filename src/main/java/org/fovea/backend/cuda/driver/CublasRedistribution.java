// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.jar.JarEntry;
import org.jspecify.annotations.Nullable;

/**
 * cuBLAS in the jar of NVIDIA's libraries that the Maven profile {@code cuda-redist} puts on the class path. It is
 * unpacked, 0.6 GB, when it is first used, into the user's cache under a name made of the jar's checksums.
 */
public final class CublasRedistribution {
    private static final Logger LOGGER = System.getLogger(CublasRedistribution.class.getName());
    private static final String DIRECTORY = "org/bytedeco/cuda/linux-x86_64/";

    /** What takes so long to unpack that it is said: a second or more. */
    private static final long SLOW_BYTES = 100 << 20;

    /** In the order in which they have to be loaded: the second needs the first, and finds it in the process. */
    private static final List<String> LIBRARIES = List.of("libcublasLt.so.12", CudaNatives.CUBLAS);

    private CublasRedistribution() {}

    /** The jar's path, or null if there is none on the class path. */
    static @Nullable public Path jar() {
        URL resource = resource(CudaNatives.CUBLAS);
        if (resource == null) {
            return null;
        }
        try {
            URLConnection connection = resource.openConnection();
            return connection instanceof JarURLConnection jar
                    ? Path.of(jar.getJarFileURL().toURI())
                    : null;
        } catch (IOException | URISyntaxException e) {
            throw new IllegalStateException("can't tell where " + resource + " is", e);
        }
    }

    /** Loads the libraries, unpacking them first where that was not done yet. */
    static void load() {
        try {
            List<JarURLConnection> connections = new ArrayList<>();
            for (String library : LIBRARIES) {
                connections.add(connect(library));
            }
            Path directory = directory(connections);
            for (int i = 0; i < LIBRARIES.size(); i++) {
                Path target = directory.resolve(LIBRARIES.get(i));
                unpack(connections.get(i), target);
                System.load(target.toString());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("unpacking cuBLAS from " + jar(), e);
        }
    }

    private static Path directory(List<JarURLConnection> connections) throws IOException {
        StringBuilder name = new StringBuilder("cublas");
        for (JarURLConnection connection : connections) {
            name.append(
                    String.format(Locale.ROOT, "-%08x", connection.getJarEntry().getCrc()));
        }
        return Files.createDirectories(NativeCache.directory().resolve(name.toString()));
    }

    /** Files arrive whole, so one of the right length is the right one. */
    private static void unpack(JarURLConnection connection, Path target) throws IOException {
        JarEntry entry = connection.getJarEntry();
        if (Files.isRegularFile(target) && Files.size(target) == entry.getSize()) {
            return;
        }
        long free = Files.getFileStore(target.getParent()).getUsableSpace();
        if (free < entry.getSize()) {
            throw new IOException(target.getFileName() + " needs " + entry.getSize() / 1_000_000 + " MB in "
                    + target.getParent() + ", where " + free / 1_000_000
                    + " MB are free; set XDG_CACHE_HOME to a directory on another disk");
        }
        if (entry.getSize() > SLOW_BYTES) {
            LOGGER.log(Level.INFO, "unpacking {0}, once, to {1}", target.getFileName(), target.getParent());
        }
        try (InputStream content = connection.getInputStream()) {
            NativeCache.store(content, target);
        }
    }

    private static JarURLConnection connect(String library) throws IOException {
        URL resource = resource(library);
        if (resource == null || !(resource.openConnection() instanceof JarURLConnection jar)) {
            throw new IOException(library + " is not in a jar on the class path");
        }
        return jar;
    }

    private static @Nullable URL resource(String library) {
        return CublasRedistribution.class.getClassLoader().getResource(DIRECTORY + library);
    }
}
