// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.diagnostics;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Facts read from a machine's files, on roots made up for it. */
class HostInfoTest {
    @TempDir
    private Path root;

    private HostInfo with(Map<String, String> environment) {
        return new HostInfo(root, environment);
    }

    private Path write(String path, String content) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, content);
    }

    @Test
    void anEmptyMachineHasNothing() {
        HostInfo empty = with(Map.of());
        assertThat(empty.container()).isEmpty();
        assertThat(empty.kernelModule()).isEmpty();
        assertThat(empty.cards()).isEmpty();
        assertThat(empty.nvcc()).isEmpty();
        assertThat(empty.isWindows()).isFalse();
        assertThat(empty.directoriesOf("libcublas.so.12")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023 | 535.104.05",
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs) | 580.65.06"
            })
    void releaseOfTheKernelModule(String line, String release) throws IOException {
        write("proc/driver/nvidia/version", line + "\nGCC version: gcc version 12.3.0\n");
        assertThat(with(Map.of()).kernelModule()).contains(release);
    }

    @Test
    void onlyNvidiasDisplayControllersAreCards() throws IOException {
        String[][] devices = {
            {"0000:01:00.0", "0x10de", "0x030000"},
            {"0000:01:00.1", "0x10de", "0x040300"},
            {"0000:02:00.0", "0x1002", "0x030000"},
            {"0000:c1:00.0", "0x10de", "0x030200"}
        };
        for (String[] device : devices) {
            write("sys/bus/pci/devices/" + device[0] + "/vendor", device[1] + "\n");
            write("sys/bus/pci/devices/" + device[0] + "/class", device[2] + "\n");
        }
        assertThat(with(Map.of()).cards()).containsExactly("0000:01:00.0", "0000:c1:00.0");
    }

    @Test
    void containersAreTold() throws IOException {
        assertThat(with(Map.of("KUBERNETES_SERVICE_HOST", "10.0.0.1")).container())
                .contains("Kubernetes");
        assertThat(with(Map.of("container", "systemd-nspawn")).container()).contains("systemd-nspawn");
        write("proc/1/cgroup", "0::/system.slice/docker-8fa1.scope\n");
        assertThat(with(Map.of()).container()).contains("docker");
        write("run/.containerenv", "");
        assertThat(with(Map.of()).container()).contains("Podman");
        write(".dockerenv", "");
        assertThat(with(Map.of()).container()).contains("Docker");
    }

    @Test
    void librariesAreFoundOffThePathToo() throws IOException {
        Path toolkit = write("usr/local/cuda-12.6/lib64/libcublas.so.12", "").getParent();
        Path system = write("usr/lib64/libcublas.so.12", "").getParent();
        Path conda = write("env/lib/python3.12/site-packages/nvidia/cublas/lib/libcublas.so.12", "")
                .getParent();
        Path own = write("own/libcublas.so.12", "").getParent();
        HostInfo machine = with(Map.of(
                "LD_LIBRARY_PATH",
                "/nowhere::" + own,
                "CONDA_PREFIX",
                root.resolve("env").toString()));
        assertThat(machine.onLibraryPath("libcublas.so.12")).containsExactly(own);
        assertThat(machine.directoriesOf("libcublas.so.12")).containsExactly(own, system, toolkit, conda);
        assertThat(machine.directoriesOf("libcublas.so.13")).isEmpty();
    }

    @Test
    void nvccIsFoundWhereABuildFindsIt() throws IOException {
        Path usual = write("usr/local/cuda/bin/nvcc", "");
        assertThat(usual.toFile().setExecutable(true)).isTrue();
        assertThat(with(Map.of()).nvcc()).contains(usual);
        Path onPath = write("tools/nvcc", "");
        Map<String, String> path = Map.of("PATH", "/nowhere:" + onPath.getParent());
        assertThat(with(path).nvcc()).as("not executable").contains(usual);
        assertThat(onPath.toFile().setExecutable(true)).isTrue();
        assertThat(with(path).nvcc()).contains(onPath);
    }
}
