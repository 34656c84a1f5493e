// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.JarOutputStream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The doctor's findings on machines of every kind, simulated, each in a virtual machine of its own. */
@Tag("integration")
@Timeout(120)
class DoctorTest {
    private static final Path SIMULATOR = Path.of("target", "native-tests").toAbsolutePath();
    private static final Path DRIVER = SIMULATOR.resolve("libcuda.so.1");
    private static final Path CUBLAS = SIMULATOR.resolve("libcublas.so.12");
    private static final Map<String, String> IMAGE =
            Map.of("fovea.cuda.image", SIMULATOR.resolve("simulated.fatbin").toString());

    @TempDir
    private Path directory;

    @BeforeAll
    static void needsTheSimulator() {
        assumeTrue(Files.exists(DRIVER), "no CUDA simulator");
        assumeFalse(Files.exists(Path.of("/proc/driver/nvidia")), "this machine has a driver of its own");
    }

    /** Findings by subject. */
    private static Map<String, JsonNode> findings(Cli doctor) throws IOException {
        Map<String, JsonNode> findings = new HashMap<>();
        doctor.lastLineAsJson().get("findings").forEach(finding -> {
            findings.put(finding.get("subject").asText(), finding);
            boolean isNo = finding.get("status").asText().equals("no");
            assertThat(isNo && finding.get("next").asText().isEmpty())
                    .as("no advice for " + finding)
                    .isFalse();
        });
        return findings;
    }

    private static Cli doctor(Map<String, String> environment, Map<String, String> properties, String command)
            throws IOException, InterruptedException {
        return Jvm.start(environment, properties, command).finish().get(0);
    }

    /** A directory with the simulated driver, and with what else is named, for LD_LIBRARY_PATH. */
    private Map<String, String> libraries(Path... more) throws IOException {
        Path libraries = Files.createDirectories(directory.resolve("libraries"));
        Files.copy(DRIVER, libraries.resolve(DRIVER.getFileName()));
        for (Path library : more) {
            Files.copy(library, libraries.resolve(library.getFileName()));
        }
        Map<String, String> environment = new HashMap<>();
        environment.put("LD_LIBRARY_PATH", libraries.toString());
        environment.put("XDG_CACHE_HOME", directory.resolve("cache").toString());
        return environment;
    }

    @Test
    void aMachineThatHasAll() throws IOException, InterruptedException {
        Map<String, String> environment = libraries(CUBLAS);
        environment.putAll(Map.of("FOVEA_SIMULATOR_DEVICES", "2", "FOVEA_SIMULATOR_MIB", "512"));
        List<Cli> results = Jvm.start(environment, IMAGE, "doctor --json", "doctor", "doctor --backend cuda --device 2")
                .finish();
        assertThat(results).extracting(Cli::exitCode).containsExactly(0, 0, 3);
        Map<String, JsonNode> findings = findings(results.get(0));
        assertThat(findings.get("driver").get("details").get("cuda_version").asInt())
                .isEqualTo(13000);
        for (String device : List.of("device 0", "device 1")) {
            assertThat(findings.get(device).get("status").asText()).isEqualTo("ok");
            assertThat(findings.get(device).get("details").get("memory_bytes").asLong())
                    .isEqualTo(512L << 20);
            assertThat(findings.get(device).get("details").get("architecture").asText())
                    .isEqualTo("sm_86");
        }
        assertThat(findings.get("cublas").get("details").get("source").asText()).isEqualTo("LD_LIBRARY_PATH");
        assertThat(findings.get("cublas").get("details").get("path").asText())
                .isEqualTo(directory
                        .resolve("libraries")
                        .resolve("libcublas.so.12")
                        .toString());
        assertThat(findings.get("vectors").get("details").get("lanes").asInt()).isPositive();
        assertThat(findings.get("java").get("found").asText()).contains(System.getProperty("java.version"));
        JsonNode json = results.get(0).lastLineAsJson();
        assertThat(json.get("backend").asText()).isEqualTo("cuda");
        assertThat(json.get("reason").asText()).isEmpty();
        assertThat(results.get(1).out()).contains("auto picks cuda: simulated on the CPU (device 0)");
        assertThat(results.get(2).out()).contains("cuda does not work").contains("there is no device 2");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "FOVEA_SIMULATOR_DRIVER_VERSION | 11080 | driver | for CUDA 11.8, which is too old | driver 525 or newer",
                "FOVEA_SIMULATOR_DEVICES | 0 | devices | the driver shows none | ",
                "FOVEA_SIMULATOR_COMPUTE | 75 | device 0 | sm_75: no code, the kernels need sm_80 | --backend cpu",
                "FOVEA_SIMULATOR_FAULT | cuInit 0 803 | devices | SYSTEM_DRIVER_MISMATCH | restart: the driver was updated",
                "FOVEA_SIMULATOR_FAULT | cuInit 0 802 | devices | SYSTEM_NOT_READY | nvidia-fabricmanager",
                "FOVEA_SIMULATOR_FAULT | cuInit 0 999 | devices | UNKNOWN | see whether nvidia-smi works"
            })
    void aMachineWithout(String variable, String value, String subject, String found, String next)
            throws IOException, InterruptedException {
        Map<String, String> environment = libraries();
        environment.put(variable, value);
        List<Cli> results = Jvm.start(environment, IMAGE, "doctor --json", "doctor --backend cuda")
                .finish();
        assertThat(results).extracting(Cli::exitCode).containsExactly(0, 3);
        JsonNode finding = findings(results.get(0)).get(subject);
        assertThat(finding.get("status").asText()).isEqualTo("no");
        assertThat(finding.get("found").asText()).contains(found);
        assertThat(finding.get("next").asText()).contains(next == null ? "" : next);
        JsonNode json = results.get(0).lastLineAsJson();
        assertThat(json.get("backend").asText()).isEqualTo("cpu");
        assertThat(json.get("reason").asText()).startsWith("cuda is not available: ");
        assertThat(results.get(1).out())
                .contains("no  " + subject)
                .contains("-> " + finding.get("next").asText());
    }

    @Test
    void aMachineWithoutADriver() throws IOException, InterruptedException {
        Cli doctor = doctor(Map.of("KUBERNETES_SERVICE_HOST", "10.0.0.1"), IMAGE, "doctor --json");
        assertThat(doctor.exitCode()).isZero();
        Map<String, JsonNode> findings = findings(doctor);
        assertThat(findings.get("container").get("details").get("container").asText())
                .isEqualTo("Kubernetes");
        assertThat(findings.get("driver").get("status").asText()).isEqualTo("no");
        assertThat(findings.get("driver").get("next").asText())
                .contains("--gpus all")
                .contains("nvidia.com/gpu: 1");
        assertThat(findings).containsKeys("devices", "kernels", "cublas", "nvcc", "vectors", "java");
    }

    @Test
    void aDriverThatHidesItsDevices() throws IOException, InterruptedException {
        Map<String, String> environment = libraries();
        environment.putAll(Map.of("FOVEA_SIMULATOR_DEVICES", "0", "CUDA_VISIBLE_DEVICES", "7"));
        assertThat(findings(doctor(environment, IMAGE, "doctor --json"))
                        .get("devices")
                        .get("next")
                        .asText())
                .startsWith("CUDA_VISIBLE_DEVICES is '7': unset it");
    }

    @Test
    void aMachineWithTheWrongCublas() throws IOException, InterruptedException {
        Map<String, String> environment = libraries();
        Path newer = Files.createFile(directory.resolve("libraries").resolve("libcublas.so.13"));
        Cli doctor = doctor(environment, IMAGE, "doctor --json");
        JsonNode cublas = findings(doctor).get("cublas");
        assumeFalse(cublas.get("status").asText().equals("ok"), "this machine has cuBLAS");
        assertThat(cublas.get("found").asText()).contains("only " + newer).contains("JCublas is built for CUDA 12");
        assertThat(cublas.get("next").asText())
                .contains("libcublas-12-6")
                .contains("nvidia-cublas-cu12")
                .contains("-Pcuda-redist");
        assertThat(doctor.lastLineAsJson().get("backend").asText())
                .as("works without")
                .isEqualTo("cuda");
    }

    @Test
    void aCublasThatDoesNotLoad() throws IOException, InterruptedException {
        Map<String, String> environment = libraries();
        Path broken = Files.writeString(directory.resolve("libraries").resolve("libcublas.so.12"), "not a library");
        JsonNode cublas = findings(doctor(environment, IMAGE, "doctor --json")).get("cublas");
        assertThat(cublas.get("status").asText()).isEqualTo("no");
        assertThat(cublas.get("found").asText()).startsWith(broken + " is there but does not load");
    }

    /** A jar of the layout of org.bytedeco:cuda, with the simulated cuBLAS in it. */
    @Test
    void cublasInTheRedistributionJar() throws IOException, InterruptedException {
        Map<String, String> environment = libraries();
        Path jar = directory.resolve("cuda-12.6-redist.jar");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream content = new JarOutputStream(file)) {
            // Any library that can be loaded will do for the one that is only loaded.
            Path other = Path.of(System.getProperty("java.home"), "lib", "libverify.so");
            for (Map.Entry<String, Path> library : Map.of("libcublasLt.so.12", other, "libcublas.so.12", CUBLAS)
                    .entrySet()) {
                content.putNextEntry(new ZipEntry("org/bytedeco/cuda/linux-x86_64/" + library.getKey()));
                content.write(Files.readAllBytes(library.getValue()));
                content.closeEntry();
            }
        }
        Map<String, String> properties = new HashMap<>(IMAGE);
        List<Cli> results = Jvm.startWith(jar, environment, properties, "doctor --json", "doctor --json")
                .finish();
        for (Cli doctor : results) {
            JsonNode cublas = findings(doctor).get("cublas");
            assumeFalse(cublas.get("details").get("source").asText().equals("system"), "this machine has cuBLAS");
            assertThat(doctor.lastLineAsJson().get("description").asText()).contains("by cuBLAS");
        }
        assertThat(findings(results.get(0)).get("cublas").get("found").asText())
                .startsWith("in " + jar + ", unpacked to " + directory.resolve("cache"));
    }
}
