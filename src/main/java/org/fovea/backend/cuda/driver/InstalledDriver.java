// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The driver that this process has loaded.
 *
 * @param version as cuDriverGetVersion gives it: 12040 for CUDA 12.4
 * @param release of NVIDIA's, such as 550.54.15, by the file name of its library; WSL's has none in its name
 */
public record InstalledDriver(int version, Optional<String> release) {
    private static final Path MAPS = Path.of("/proc/self/maps");
    private static final Pattern LIBRARY = Pattern.compile("/libcuda\\.so\\.(\\d{3,}(?:\\.\\d+)+)$", Pattern.MULTILINE);

    /**
     * The one with this version. It is the library that is asked for its release, not the kernel's module: with NVIDIA's
     * forward compatibility package the library is the newer one, and it is the library that reads machine code.
     */
    public static InstalledDriver loaded(int version) {
        try {
            return new InstalledDriver(
                    version, Files.isReadable(MAPS) ? releaseIn(Files.readString(MAPS)) : Optional.empty());
        } catch (IOException e) {
            throw new UncheckedIOException("reading which driver is loaded from " + MAPS, e);
        }
    }

    /** The release of the driver's library among the files that a process has mapped. */
    static Optional<String> releaseIn(String maps) {
        Matcher library = LIBRARY.matcher(maps);
        return library.find() ? Optional.of(library.group(1)) : Optional.empty();
    }

    /** Whether this is as new as {@code needed}. */
    public boolean isAtLeast(KernelImage.Driver needed) {
        return version >= needed.version()
                && release.map(own -> isAtLeast(own, needed.release())).orElse(true);
    }

    /** Compares number by number, as far as {@code least} has them; what is no number is met. */
    private static boolean isAtLeast(String release, String least) {
        if (!least.matches("\\d+(\\.\\d+)*")) {
            return true;
        }
        String[] own = release.split("\\.");
        String[] other = least.split("\\.");
        for (int i = 0; i < other.length; i++) {
            int difference = (i < own.length ? Integer.parseInt(own[i]) : 0) - Integer.parseInt(other[i]);
            if (difference != 0) {
                return difference > 0;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return "for CUDA " + CudaContext.dotted(version)
                + release.map(name -> ", release " + name).orElse("");
    }
}
