// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.diagnostics;

import static org.fovea.backend.cuda.driver.CudaNatives.CUBLAS;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.fovea.backend.Diagnostic;
import org.fovea.backend.cuda.driver.CublasRedistribution;
import org.fovea.backend.cuda.driver.CudaNatives;
import org.fovea.backend.cuda.driver.NativeCache;

/** The search for cuBLAS: where it is and whether it loads. Without it Fovea's own kernel does all matrix products. */
final class CublasDiagnostics {
    /** What the newer release of CUDA brings, which JCublas can't use. */
    private static final String NEWER = "libcublas.so.13";

    private static final String HOW =
            "install it (Ubuntu with NVIDIA's repository: sudo apt-get install libcublas-12-6; or pip"
                    + " install nvidia-cublas-cu12 and put its nvidia/cublas/lib on LD_LIBRARY_PATH; or mvn -Pcuda-redist -DskipTests"
                    + " package, 1.9 GB)";

    private final HostInfo surroundings;

    CublasDiagnostics(HostInfo surroundings) {
        this.surroundings = surroundings;
    }

    Diagnostic finding() {
        Path jar = CublasRedistribution.jar();
        if (jar != null && !CudaNatives.systemHasCublas()) {
            return found(
                    "in " + jar + ", unpacked to " + NativeCache.location() + " at first use",
                    jar,
                    "redistribution jar");
        }
        try {
            CudaNatives.loadCublas();
        } catch (UnsatisfiedLinkError | UncheckedIOException e) {
            return missing(String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString()));
        }
        Path library = loaded();
        if (library.startsWith(NativeCache.location())) {
            return found(library + ", from " + jar, library, "redistribution jar");
        }
        boolean isOnPath = surroundings.onLibraryPath(CUBLAS).stream().anyMatch(at -> isIn(library, at));
        return found(
                library + (isOnPath ? " (LD_LIBRARY_PATH)" : ""), library, isOnPath ? "LD_LIBRARY_PATH" : "system");
    }

    private static Diagnostic found(String text, Path library, String source) {
        return Diagnostic.ok("cublas", text).withDetails(Map.of("path", library.toString(), "source", source));
    }

    private Diagnostic missing(String reason) {
        List<Path> elsewhere = surroundings.directoriesOf(CUBLAS);
        List<Path> newer = surroundings.directoriesOf(NEWER);
        String own = "; Fovea's own kernel does matrix products";
        if (!elsewhere.isEmpty()) {
            Path directory = elsewhere.get(0);
            return Diagnostic.no(
                    "cublas",
                    directory.resolve(CUBLAS) + " is there but does not load (" + reason + ")" + own,
                    "export LD_LIBRARY_PATH=" + directory
                            + (surroundings.onLibraryPath(CUBLAS).isEmpty() ? "" : " alone")
                            + ", and see that libcublasLt.so.12 lies there too");
        }
        if (!newer.isEmpty()) {
            return Diagnostic.no(
                    "cublas",
                    CUBLAS + " was not found, only " + newer.get(0).resolve(NEWER)
                            + ": JCublas is built for CUDA 12 and can't use that" + own,
                    HOW + ", beside CUDA 13");
        }
        return Diagnostic.no("cublas", reason + own, HOW);
    }

    /** The file that the dynamic linker took. */
    private static Path loaded() {
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.filter(line -> line.contains("/" + CUBLAS))
                    .map(line -> Path.of(line.substring(line.indexOf('/'))))
                    .findFirst()
                    .orElse(Path.of(CUBLAS));
        } catch (IOException e) {
            throw new UncheckedIOException("reading /proc/self/maps", e);
        }
    }

    /** Links are followed: the file that was taken may have a longer name, in another directory. */
    private static boolean isIn(Path library, Path directory) {
        try {
            return directory.resolve(CUBLAS).toRealPath().equals(library);
        } catch (IOException gone) {
            return false;
        }
    }
}
