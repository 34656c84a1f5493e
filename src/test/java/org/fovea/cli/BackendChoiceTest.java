// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Messages and exit codes where the device that was asked for is unavailable. */
@Tag("integration")
@Timeout(120)
class BackendChoiceTest {
    private static final Path SIMULATOR = Path.of("target", "native-tests").toAbsolutePath();
    private static final Path DRIVER = SIMULATOR.resolve("libcuda.so.1");
    private static final Path IMAGE = SIMULATOR.resolve("simulated.fatbin");

    @TempDir
    private static Path runs;

    @TempDir
    private Path directory;

    @BeforeAll
    static void trainSomething() {
        assumeTrue(Files.exists(DRIVER), "no CUDA simulator");
        Cli trained = Cli.run(TrainTest.small(runs.resolve("run"), "--steps", "64"));
        assertThat(trained.exitCode()).isZero();
    }

    private static String eval(String more) {
        return "eval " + runs.resolve("run") + " --episodes 1 --json " + more;
    }

    private String train(String more) {
        return String.join(" ", TrainTest.small(directory.resolve("run"), "--steps", "64")) + " " + more;
    }

    private static Map<String, String> simulated(String... more) {
        Map<String, String> properties = new HashMap<>();
        properties.put("fovea.cuda.driver", DRIVER.toString());
        properties.put("fovea.cuda.image", IMAGE.toString());
        for (int i = 0; i < more.length; i += 2) {
            properties.put(more[i], more[i + 1]);
        }
        return properties;
    }

    /** cuda is refused in one line with exit code 3; auto goes to the CPU, and says that line. */
    private void assertUnavailable(Map<String, String> environment, Map<String, String> properties, String reason)
            throws IOException, InterruptedException {
        List<Cli> results = Jvm.start(environment, properties, eval("--backend cuda"), eval("--backend auto"))
                .finish();

        Cli cuda = results.get(0);
        assertThat(cuda.exitCode()).isEqualTo(3);
        assertThat(cuda.err())
                .startsWith("fovea eval: cuda is not available: ")
                .contains(reason)
                .hasLineCount(1);
        assertThat(cuda.out()).isEmpty();
        Cli auto = results.get(1);
        assertThat(auto.exitCode()).isZero();
        assertThat(auto.err())
                .startsWith("running on cpu: cuda is not available: ")
                .contains(reason)
                .hasLineCount(1);
        assertThat(auto.lastLineAsJson().get("backend").asText()).isEqualTo("cpu");
        assertThat(auto.out()).doesNotContain("cuda");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "FOVEA_SIMULATOR_DRIVER_VERSION | 11080 | the NVIDIA driver is for CUDA 11.8, but the kernels of this build"
                        + " need driver 525 or newer (CUDA 12.0)",
                "FOVEA_SIMULATOR_DEVICES | 0 | the NVIDIA driver shows no device; check nvidia-smi",
                "FOVEA_SIMULATOR_COMPUTE | 75 | simulated on the CPU is of architecture sm_75; Fovea's kernels need sm_80",
                "FOVEA_SIMULATOR_FAULT | cuModuleLoadDataEx 0 209 | can't run on this device: CUDA_ERROR_NO_BINARY_FOR_GPU"
                        + "; the driver is for CUDA 13.0"
            })
    void onAMachineLikeThis(String variable, String value, String reason) throws IOException, InterruptedException {
        assertUnavailable(Map.of(variable, value), simulated(), reason);
    }

    /** An image with machine code for sm_80 that drivers from 550.54 on can read. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            nullValues = "none",
            value = {
                "80  | 13000 | libcuda.so.580.65.06  | none",
                "86  | 12040 | libcuda.so.550.54.15  | none",
                "86  | 12040 | libcuda.so.1          | none",
                "90  | 13000 | libcuda.so.1          | this build has no machine code for sm_90 (sm_80, PTX 7.0 for the rest)",
                "86  | 12040 | libcuda.so.550.40.07  | the driver is for CUDA 12.4, release 550.40.07, their machine code needs"
                        + " driver 550.54 or newer (CUDA 12.4)",
                "86  | 12020 | libcuda.so.535.183.01 | the driver is for CUDA 12.2, release 535.183.01, their machine code needs"
                        + " driver 550.54 or newer (CUDA 12.4)"
            })
    void translationOfPtxIsAnnouncedOnce(int architecture, int version, String library, String reason)
            throws IOException, InterruptedException {
        Path image = Files.copy(IMAGE, directory.resolve("described.fatbin"));
        Files.writeString(
                directory.resolve("described.fatbin.txt"), "sm_80, PTX 7.0 for the rest\ndriver 12040 550.54\n");
        Path driver = Files.copy(DRIVER, directory.resolve(library));
        Map<String, String> environment =
                Map.of("FOVEA_SIMULATOR_COMPUTE", "" + architecture, "FOVEA_SIMULATOR_DRIVER_VERSION", "" + version);
        Map<String, String> properties =
                Map.of("fovea.cuda.driver", driver.toString(), "fovea.cuda.image", image.toString());
        String line = "The driver translates the CUDA kernels from PTX, which may take a minute the first time: ";
        List<String> announced = printed(environment, properties, eval("--backend cuda"))
                .filter(printed -> printed.contains("PTX"))
                .toList();
        if (reason == null) {
            assertThat(announced).isEmpty();
        } else {
            assertThat(announced).singleElement(as(STRING)).contains(line + reason);
        }
        String device = "device 0";
        assertThat(printed(environment, properties, "doctor").filter(printed -> printed.contains(device)))
                .anyMatch(printed -> printed.contains(
                        reason == null ? ": machine code" : ": PTX, translated by the driver at first use"));
    }

    /** Lines of standard output and standard error of a command in a process of its own, which is to succeed. */
    private static Stream<String> printed(
            Map<String, String> environment, Map<String, String> properties, String command)
            throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path")));
        properties.forEach((name, value) -> line.add("-D" + name + "=" + value));
        line.add(Fovea.class.getName());
        line.addAll(List.of(command.split(" ")));
        ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process process = builder.start();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(printed).isZero();
        return printed.lines();
    }

    @Test
    void withoutADriver() throws IOException, InterruptedException {
        assumeFalse(Files.exists(Path.of("/proc/driver/nvidia")), "there is one");
        assertUnavailable(
                Map.of(),
                Map.of("fovea.cuda.image", IMAGE.toString()),
                "there is no NVIDIA driver on this machine (libcuda.so.1 was not found); install driver");
    }

    @Test
    void withADamagedImage() throws IOException, InterruptedException {
        byte[] image = Files.readAllBytes(IMAGE);
        image[8] = 1;
        Path truncated = Files.write(directory.resolve("truncated.fatbin"), image);
        assertUnavailable(
                Map.of(),
                simulated("fovea.cuda.image", truncated.toString()),
                truncated + " are damaged: the file has 16 bytes, the header at byte 0 says 17; build them again");
    }

    @Test
    void aDeviceThatIsNotThereIsRefused() throws IOException, InterruptedException {
        List<Cli> results = Jvm.start(
                        Map.of("FOVEA_SIMULATOR_DEVICES", "2"),
                        simulated(),
                        eval("--backend cuda --device 2"),
                        eval("--device 2"),
                        "version")
                .finish();
        assertThat(results).extracting(Cli::exitCode).containsExactly(3, 0, 0);
        String reason = "cuda is not available: there is no device 2, the last one is device 1";
        assertThat(results.get(0).err()).startsWith("fovea eval: " + reason);
        assertThat(results.get(1).err()).startsWith("running on cpu: " + reason);
        assertThat(results.get(2).out()).contains("simulated on the CPU (device 0), sm_86");
    }

    @Test
    void cublasIsMissedOnlyWhereItIsDemanded() throws IOException, InterruptedException {
        Path library = Files.createDirectory(directory.resolve("library"));
        Files.copy(DRIVER, library.resolve("libcuda.so.1"));
        // Found like a real driver, and so is cuBLAS not found.
        List<Cli> results = Jvm.start(
                        Map.of("LD_LIBRARY_PATH", library.toString()),
                        Map.of("fovea.cuda.image", IMAGE.toString()),
                        "version",
                        train("--backend cuda --set cublas=on"),
                        eval("--backend cpu --set cublas=on"),
                        eval("--set cublas=maybe"),
                        eval("--backend cuda --set cublas=off --set precision=tf32"))
                .finish();
        assumeFalse(results.get(0).out().contains("by cuBLAS"), "this machine has cuBLAS");
        assertThat(results.get(0).out())
                .contains("matrix products by Fovea's own kernel: libcublas.so.12 was not found");
        assertThat(results).extracting(Cli::exitCode).containsExactly(0, 3, 3, 2, 0);
        assertThat(results.get(1).err())
                .startsWith("fovea train: cuda is not available: cuBLAS can't be used (cublas=on): libcublas.so.12 was"
                        + " not found");
        assertThat(directory.resolve("run")).doesNotExist();
        assertThat(results.get(3).err())
                .startsWith("fovea eval: --set cublas must be one of auto, on, off, got 'maybe'");
        assertThat(results.get(4).lastLineAsJson().get("backend").asText()).isEqualTo("cuda");
    }

    @Test
    void simulateRunsTheKernelsOnTheCpu() throws IOException, InterruptedException {
        Path empty = Files.createDirectories(directory.resolve("empty"));
        Path unbuilt = Files.createDirectories(directory.resolve("unbuilt"));
        Files.createDirectory(unbuilt.resolve("native-tests"));
        Map<String, String> here =
                Map.of("fovea.home", Path.of("").toAbsolutePath().toString());

        Cli evaluated = Jvm.start(Map.of(), here, eval("--simulate")).finish().get(0);
        assertThat(evaluated.exitCode()).as(evaluated.err()).isZero();
        assertThat(evaluated.lastLineAsJson().get("backend").asText()).isEqualTo("cuda");
        assertThat(evaluated.err()).startsWith("simulating a CUDA device on the CPU");

        System.setProperty("fovea.home", empty.toString());
        try {
            Cli jarOnly = Cli.run("bench", "attention", "--simulate");
            assertThat(jarOnly.exitCode()).isEqualTo(3);
            assertThat(jarOnly.err())
                    .isEqualTo(
                            "fovea bench attention: the simulator is part of Fovea's source tree; use --simulate with"
                                    + " ./fovea there\n");
            System.setProperty("fovea.home", unbuilt.toString());
            Cli notBuilt = Cli.run("bench", "train", "--simulate");
            assertThat(notBuilt.exitCode()).isEqualTo(3);
            assertThat(notBuilt.err())
                    .isEqualTo("fovea bench train: the simulator is not built; run: make -C " + unbuilt
                            + "/native-tests driver\n");
            assertThat(Cli.run("bench", "train", "--simulate", "--backend", "cpu")
                            .exitCode())
                    .isEqualTo(2);
            Cli otherWord = Cli.run("bench", "train", "--simulate=sass");
            assertThat(otherWord.exitCode()).isEqualTo(2);
            assertThat(otherWord.err())
                    .isEqualTo("fovea bench train: --simulate runs kernels from source or ptx, not sass\n");
        } finally {
            System.clearProperty("fovea.home");
        }
    }

    /** What follows without an equals sign is an input. */
    @Test
    void simulateTakesNoWordAfterASpace() throws IOException, InterruptedException {
        Map<String, String> here =
                Map.of("fovea.home", Path.of("").toAbsolutePath().toString());
        Cli read = Jvm.start(Map.of(), here, "attention --simulate missing.safetensors --out out.safetensors")
                .finish()
                .get(0);
        assertThat(read.err()).contains("missing.safetensors");
        assertThat(read.exitCode()).isNotZero();
    }

    @Test
    void simulateRunsThePtxOfAnImage() throws IOException, InterruptedException {
        Path lines = Path.of("target", "kernels", "lines.fatbin");
        assumeTrue(Files.exists(lines), "needs nvcc");
        // As the launcher lays it out.
        Path simulator = Files.createDirectories(directory.resolve("simulator"));
        for (String library : List.of("libcuda.so.1", "libcublas.so.12")) {
            Files.copy(SIMULATOR.resolve(library), simulator.resolve(library));
        }
        Map<String, String> here =
                Map.of("fovea.home", Path.of("").toAbsolutePath().toString(), "fovea.simulator", simulator.toString());
        if (BackendChoiceTest.class.getResource("/org/fovea/backend/cuda/fovea.fatbin") == null) {
            Cli without =
                    Jvm.start(Map.of(), here, eval("--simulate=ptx")).finish().get(0);
            assertThat(without.exitCode()).isEqualTo(3);
            assertThat(without.err().lines().toList())
                    .hasSize(2)
                    .last()
                    .asString()
                    .contains("no CUDA kernels");
        }
        Files.copy(lines, Files.createDirectory(simulator.resolve("image")).resolve("lines.fatbin"));
        Cli evaluated =
                Jvm.start(Map.of(), here, eval("--simulate=ptx")).finish().get(0);
        assertThat(evaluated.exitCode()).as(evaluated.err()).isZero();
        assertThat(evaluated.lastLineAsJson().get("backend").asText()).isEqualTo("cuda");
        assertThat(evaluated.err()).startsWith("simulating a CUDA device on the CPU, from the kernels' PTX");
    }

    @Test
    void severalMachinesUnpackTheirNativesAtOnce() throws IOException, InterruptedException {
        Path cache = directory.resolve("cache");
        List<Jvm> machines = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            machines.add(Jvm.start(Map.of("XDG_CACHE_HOME", cache.toString()), simulated(), "version"));
        }
        for (Jvm machine : machines) {
            assertThat(machine.finish().get(0).out()).contains("simulated on the CPU");
        }
        List<Path> files = files(cache);
        assertThat(files)
                .extracting(file -> file.getFileName().toString())
                .containsExactlyInAnyOrder(
                        "libJCudaDriver-12.6.0-linux-x86_64.so", "libJCublas2-12.6.0-linux-x86_64.so");

        // Neither a damaged file nor one that a run before left half-written is trusted.
        byte[] content = Files.readAllBytes(files.get(0));
        Files.write(files.get(0), new byte[] {1, 2, 3});
        Cli next = Jvm.start(Map.of("XDG_CACHE_HOME", cache.toString()), simulated(), "version")
                .finish()
                .get(0);
        assertThat(next.out()).contains("simulated on the CPU");
        assertThat(files.get(0)).hasBinaryContent(content);
    }

    @Test
    void aCacheThatCannotBeWrittenIsDoneWithout() throws IOException, InterruptedException {
        Path file = Files.createFile(directory.resolve("file"));
        Path temporary = Files.createDirectory(directory.resolve("temporary"));
        Cli cli = Jvm.start(
                        Map.of("XDG_CACHE_HOME", file.toString()),
                        simulated("java.io.tmpdir", temporary.toString()),
                        "version")
                .finish()
                .get(0);
        assertThat(cli.out()).contains("simulated on the CPU").contains("by cuBLAS");
        assertThat(temporary).isEmptyDirectory();
    }

    private static List<Path> files(Path root) throws IOException {
        try (Stream<Path> tree = Files.walk(root)) {
            return tree.filter(Files::isRegularFile).toList();
        }
    }
}
