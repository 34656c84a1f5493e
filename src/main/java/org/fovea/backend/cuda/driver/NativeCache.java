// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Native libraries that were unpacked from jars: in a directory of the user's own, each in one named by its content, where
 * they arrive by an atomic move, so that several JVMs may start at once.
 */
public final class NativeCache {
    private NativeCache() {}

    /**
     * The directory where the library now lies: in the user's cache, or where that can't be written to, in a temporary
     * directory.
     */
    static Path unpack(byte[] content, String name) {
        try {
            return unpack(content, name, directory());
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
                move(temporary, target);
            } finally {
                Files.deleteIfExists(temporary);
            }
        }
        return directory;
    }

    /** Writes all of a stream to a file, which is there as a whole or not at all. */
    static void store(InputStream content, Path target) throws IOException {
        Path temporary = Files.createTempFile(target.getParent(), "arriving", ".tmp");
        try {
            Files.copy(content, temporary, StandardCopyOption.REPLACE_EXISTING);
            move(temporary, target);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static void move(Path temporary, Path target) throws IOException {
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** The user's cache, made if it is not there. */
    static Path directory() throws IOException {
        Path location = location();
        if (!location.isAbsolute()) {
            throw new IOException("this user has no home directory; set XDG_CACHE_HOME");
        }
        return Files.createDirectories(
                location, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /**
     * Where the user's cache is, or would be. Java's {@code user.home} is that of the user database, and "?" for a user who
     * is not in it, as in a container that runs under any number.
     */
    public static Path location() {
        Path base = variable("XDG_CACHE_HOME");
        Path home = base == null ? variable("HOME") : null;
        if (home == null) {
            home = Path.of(System.getProperty("user.home"));
        }
        return (base == null ? home.resolve(".cache") : base).resolve("fovea").resolve("natives");
    }

    /** The directory that a variable names; null if it is not set, or not to an absolute path. */
    private static @Nullable Path variable(String name) {
        String value = System.getenv(name);
        return value != null && value.startsWith("/") ? Path.of(value) : null;
    }
}
