// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.diagnostics;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The files and the environment of a machine, and what they tell about its NVIDIA hardware and software, without asking the driver.
 *
 * @param root of the file system
 * @param environment variables
 */
public record HostInfo(Path root, Map<String, String> environment) {
    private static final String NVIDIA = "0x10de";
    private static final String DISPLAY_CLASS = "0x03";
    private static final Pattern RELEASE = Pattern.compile("Kernel Module(?:\\s+for\\s+\\S+)?\\s+(\\d[\\d.]*)");
    private static final Pattern CONTAINER =
            Pattern.compile("docker|kubepods|containerd|podman|libpod|lxc", Pattern.CASE_INSENSITIVE);

    /** Where the dynamic linker looks without being told, on the distributions there are. */
    private static final List<String> SYSTEM_LIBRARIES = List.of(
            "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64", "usr/lib", "usr/local/lib");

    /** Where CUDA's libraries are installed without the linker's being told; a star stands for any name. */
    private static final List<String> OTHER_LIBRARIES = List.of(
            "usr/local/cuda*/lib64",
            "usr/local/cuda*/targets/x86_64-linux/lib",
            "opt/cuda*/lib64",
            "usr/local/lib/python3*/*-packages/nvidia/cublas/lib",
            "usr/lib/python3*/*-packages/nvidia/cublas/lib",
            "opt/conda/lib");

    /** Of the machine that this runs on. */
    public static HostInfo here() {
        return new HostInfo(Path.of("/"), System.getenv());
    }

    /** What kind of container this is, if it is one. */
    Optional<String> container() {
        if (environment.containsKey("KUBERNETES_SERVICE_HOST")
                || Files.isDirectory(root.resolve("var/run/secrets/kubernetes.io"))) {
            return Optional.of("Kubernetes");
        }
        if (Files.exists(root.resolve(".dockerenv"))) {
            return Optional.of("Docker");
        }
        if (Files.exists(root.resolve("run/.containerenv"))) {
            return Optional.of("Podman");
        }
        String named = environment.getOrDefault("container", "");
        if (!named.isEmpty()) {
            return Optional.of(named);
        }
        Matcher group = CONTAINER.matcher(text("proc/1/cgroup"));
        return group.find() ? Optional.of(group.group().toLowerCase(Locale.ROOT)) : Optional.empty();
    }

    /** Whether this is Linux under Windows, whose driver is that of Windows. */
    boolean isWindows() {
        return text("proc/version").toLowerCase(Locale.ROOT).contains("microsoft");
    }

    /** Release of the driver's part in the kernel, such as 580.65.06, if it is loaded. */
    Optional<String> kernelModule() {
        Matcher release = RELEASE.matcher(text("proc/driver/nvidia/version"));
        return release.find() ? Optional.of(release.group(1)) : Optional.empty();
    }

    /** Addresses of NVIDIA's cards on the PCI bus. */
    List<String> cards() {
        return list(root.resolve("sys/bus/pci/devices")).stream()
                .filter(card -> text(root.relativize(card.resolve("vendor")).toString())
                                .strip()
                                .equals(NVIDIA)
                        && text(root.relativize(card.resolve("class")).toString())
                                .startsWith(DISPLAY_CLASS))
                .map(card -> String.valueOf(card.getFileName()))
                .sorted()
                .toList();
    }

    /** The directories of LD_LIBRARY_PATH that have this library. */
    List<Path> onLibraryPath(String library) {
        return Stream.of(environment.getOrDefault("LD_LIBRARY_PATH", "").split(":"))
                .filter(directory -> !directory.isEmpty())
                .map(Path::of)
                .filter(directory -> Files.exists(directory.resolve(library)))
                .distinct()
                .toList();
    }

    /** Directories that have this library, whether the dynamic linker looks into them or not. */
    List<Path> directoriesOf(String library) {
        List<Path> directories = new ArrayList<>(onLibraryPath(library));
        SYSTEM_LIBRARIES.forEach(directory -> directories.add(root.resolve(directory)));
        OTHER_LIBRARIES.forEach(pattern -> directories.addAll(matches(pattern)));
        for (String variable : List.of("VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH")) {
            String prefix = environment.getOrDefault(variable, "");
            if (!prefix.isEmpty()) {
                Path base = Path.of(prefix);
                directories.addAll(List.of(base.resolve("lib"), base.resolve("lib64")));
                list(base.resolve("lib")).stream()
                        .map(python -> python.resolve("site-packages/nvidia/cublas/lib"))
                        .forEach(directories::add);
            }
        }
        return directories.stream()
                .filter(directory -> Files.exists(directory.resolve(library)))
                .distinct()
                .toList();
    }

    /** The CUDA compiler that a build would take: as kernels/build.sh looks for it. */
    Optional<Path> nvcc() {
        List<Path> candidates = new ArrayList<>();
        candidates.add(Path.of(environment.getOrDefault("NVCC", "")));
        String home = environment.getOrDefault("CUDA_HOME", "");
        candidates.add(home.isEmpty() ? Path.of("") : Path.of(home, "bin", "nvcc"));
        for (String directory : environment.getOrDefault("PATH", "").split(":")) {
            candidates.add(directory.isEmpty() ? Path.of("") : Path.of(directory, "nvcc"));
        }
        candidates.add(root.resolve("usr/local/cuda/bin/nvcc"));
        return candidates.stream()
                .filter(path -> Files.isRegularFile(path) && Files.isExecutable(path))
                .findFirst();
    }

    private List<Path> matches(String pattern) {
        List<Path> found = List.of(root);
        for (String name : pattern.split("/")) {
            found = found.stream()
                    .flatMap(directory ->
                            name.contains("*") ? list(directory, name).stream() : Stream.of(directory.resolve(name)))
                    .toList();
        }
        return found;
    }

    private static List<Path> list(Path directory) {
        return list(directory, "*");
    }

    /** Sorted; what is not there, or may not be looked at, has nothing in it. */
    private static List<Path> list(Path directory, String pattern) {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, pattern)) {
            List<Path> found = new ArrayList<>();
            entries.forEach(found::add);
            found.sort(null);
            return found;
        } catch (IOException absent) {
            return List.of();
        }
    }

    private String text(String path) {
        try {
            return Files.readString(root.resolve(path));
        } catch (IOException absent) {
            return "";
        }
    }
}
