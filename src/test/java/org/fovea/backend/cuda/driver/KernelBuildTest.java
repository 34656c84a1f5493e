// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** For which architectures the kernels are built, on machines with GPUs that an nvidia-smi of the test's makes up. */
@Tag("integration")
class KernelBuildTest {
    @TempDir
    private Path directory;

    @BeforeEach
    void needsAMachineWithoutGpu() {
        assumeFalse(Files.exists(Path.of("/dev/nvidiactl")), "this machine has a GPU of its own");
    }

    private String run(String nvidiaSmi, int status, String... command) throws IOException, InterruptedException {
        Path program = Files.writeString(directory.resolve("nvidia-smi"), "#!/bin/sh\n" + nvidiaSmi + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("PATH", directory + ":" + System.getenv("PATH"));
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isEqualTo(status);
        return output.strip();
    }

    @ParameterizedTest
    @CsvSource({
        "8.0, sm_80",
        "8.6, sm_80",
        "8.9 8.6, sm_80",
        "9.0, sm_90a",
        "10.3, sm_100",
        "12.0 8.9 7.5, sm_120 sm_80",
        "11.0, sm_110"
    })
    void gpusAreCompiledForByTheReleasedCodeThatTheyRun(String capabilities, String expected) throws Exception {
        assertThat(run("printf '%s\\n' " + capabilities, 0, "kernels/cards.sh")).isEqualTo(expected.replace(' ', '\n'));
    }

    @ParameterizedTest
    @CsvSource({
        "echo 7.5, 'the GPU of this machine is of compute capability 7.5, the kernels need 8.0'",
        "exit 9, there was no NVIDIA GPU when it was built",
        "echo No devices were found, there was no NVIDIA GPU when it was built"
    })
    void whereNoneCanRunThemIsSaid(String nvidiaSmi, String expected) throws Exception {
        assertThat(run(nvidiaSmi, 1, "kernels/cards.sh")).isEqualTo(expected);
    }

    /** Kernels of an earlier build must not stay behind in the jar. */
    @Test
    void aBuildForNoGpuLeavesNoKernels() throws Exception {
        Path resources = Files.createDirectory(directory.resolve("resources"));
        Files.writeString(resources.resolve("fovea.fatbin"), "old");
        String ptx = directory.resolve("ptx").toString();
        run("exit 9", 0, "kernels/build.sh", ptx, resources.toString(), "cards");
        assertThat(resources.resolve("fovea.fatbin")).doesNotExist();
        assertThat(resources.resolve("kernels.txt")).content().startsWith("there was no NVIDIA GPU");
    }

    /** Of a kernel that may spill a little, frame, stores and loads each have their limit. */
    @ParameterizedTest
    @CsvSource({
        "attention_tangent_whole_f32_d64_m32, 24, 20, 32, 0",
        "attention_tangent_whole_f32_d64_m32, 32, 20, 32, 1",
        "attention_tangent_whole_f32_d64_m32, 24, 24, 32, 1",
        "attention_tangent_whole_f32_d64_m32, 24, 20, 128, 1",
        "attention_jvp_f32_d32_r64_m32, 0, 0, 4, 1",
        "gemm_f32, 8, 8, 8, 0"
    })
    void spillsOfAttentionAreHeldToTheirLimits(String kernel, int frame, int stores, int loads, int status)
            throws Exception {
        Path log = Files.writeString(
                directory.resolve("ptxas.log"),
                "ptxas info    : Function properties for %s%n    %d bytes stack frame, %d bytes spill stores, %d bytes spill loads%n"
                        .formatted(kernel, frame, stores, loads));
        run("exit 9", status, "awk", "-f", "kernels/resources.awk", log.toString());
    }
}
