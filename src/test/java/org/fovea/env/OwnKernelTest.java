// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A user's own environment with a kernel, that of examples/device-environment, from a directory somewhere. */
@Tag("integration")
class OwnKernelTest {
    private static final Path EXAMPLE = Path.of("examples", "device-environment");
    private static final int COUNT = 66;

    @TempDir
    private Path directory;

    @BeforeEach
    void copyExample() throws IOException {
        for (String file : new String[] {"corridor.cu", "DeviceCorridor.java"}) {
            Files.copy(EXAMPLE.resolve(file), directory.resolve(file));
        }
    }

    @Test
    void isCompiledByGccForTheSimulator() throws Exception {
        Simulator.assumeSimulated();
        Simulator.load();
        Path out = Path.of("target", "native-tests").toAbsolutePath();
        run("make", "-C", "native-tests", "OUT=" + out, "OWN=" + directory, "FOVEA_KERNELS=" + directory, "own");
        System.load(directory.resolve("kernels.so").toString());
        try (Backend backend = Simulator.open()) {
            play(backend);
        }
    }

    @Test
    void isCompiledByNvccWhereThereIsOne() throws Exception {
        Simulator.assumeSimulated();
        Path image = directory.resolve("image");
        run("env", "FOVEA_KERNELS=" + directory, "kernels/build.sh", image.toString(), image.toString(), "ptx");
        assumeTrue(Files.exists(image.resolve("lines.fatbin")), "needs nvcc");
        try (Backend backend = Simulator.openFromPtx(image.resolve("lines.fatbin"))) {
            play(backend);
        }
    }

    private void run(String... command) throws IOException, InterruptedException {
        Path log = directory.resolve("log");
        int result = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start()
                .waitFor();
        assertThat(result).as(() -> read(log)).isZero();
    }

    private static String read(Path log) {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** Some hundred steps by random choices, on the device and by the class in Java. */
    private void play(Backend backend) throws Exception {
        EnvironmentSpec spec = compiled();
        VectorEnvironment host = spec.create(COUNT);
        VectorEnvironment device = DeviceBatch.createAll(backend, spec, COUNT).get(0);
        StepBatch expected = StepBatch.allocate(COUNT, 2);
        StepBatch actual = StepBatch.allocate(COUNT, 2);
        host.reset(5, 0, expected.observations());
        device.reset(5, 0, actual.observations());
        Random random = new Random(1);
        int[] choices = new int[COUNT];
        int arrived = 0;
        int cut = 0;
        for (int step = 0; step < 120; step++) {
            for (int i = 0; i < COUNT; i++) {
                choices[i] = random.nextInt(2);
            }
            host.step(choices, new float[0], expected);
            device.step(choices, new float[0], actual);
            assertThat(actual.observations()).as("step %d", step).containsExactly(expected.observations());
            assertThat(actual.rewards()).containsExactly(expected.rewards());
            assertThat(actual.terminated()).containsExactly(expected.terminated());
            assertThat(actual.truncated()).containsExactly(expected.truncated());
            for (int i = 0; i < COUNT; i++) {
                arrived += actual.terminated()[i] ? 1 : 0;
                cut += actual.truncated()[i] ? 1 : 0;
            }
        }
        assertThat(arrived).isPositive();
        assertThat(cut).isPositive();
        device.close();
    }

    private EnvironmentSpec compiled() throws Exception {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assumeTrue(compiler != null, "needs a JDK");
        int result = compiler.run(
                null,
                null,
                null,
                "-proc:none",
                "-cp",
                System.getProperty("java.class.path"),
                "-d",
                directory.toString(),
                directory.resolve("DeviceCorridor.java").toString());
        assertThat(result).isZero();
        try (URLClassLoader loader = new URLClassLoader(
                new URL[] {directory.toUri().toURL()}, getClass().getClassLoader())) {
            return (EnvironmentSpec)
                    loader.loadClass("DeviceCorridor").getField("SPEC").get(null);
        }
    }
}
