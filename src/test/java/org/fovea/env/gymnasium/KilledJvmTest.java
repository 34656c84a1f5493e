// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Where a JVM is killed outright, nothing of its Python environments is left, whatever they are doing. */
@Tag("integration")
@Timeout(300)
@EnabledOnOs(OS.LINUX)
class KilledJvmTest {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    @Test
    void leavesNoProcessAndNoFile(@TempDir Path directory) throws Exception {
        assumeTrue(GymnasiumBatchTest.has("numpy"), "python3 with numpy is not installed");
        Path python = GymnasiumBatchTest.pythonWithTheStub(directory);
        Set<Path> before = sharedFiles();
        Process jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Main.class.getName(),
                        python.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        List<ProcessHandle> workers;
        try (BufferedReader out = jvm.inputReader(StandardCharsets.UTF_8)) {
            assertThat(out.readLine()).isEqualTo("playing");
            workers = jvm.descendants().toList();
        } finally {
            jvm.destroyForcibly().waitFor();
        }
        assertThat(workers).hasSizeGreaterThanOrEqualTo(4);

        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (System.nanoTime() < end && workers.stream().anyMatch(ProcessHandle::isAlive)) {
            Thread.sleep(20);
        }
        assertThat(workers).noneMatch(ProcessHandle::isAlive);
        // Tests in other processes have such files too, each until its Python has started; one that was left stays.
        Set<Path> left = sharedFiles();
        left.removeAll(before);
        end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (System.nanoTime() < end && !left.isEmpty()) {
            Thread.sleep(100);
            left.retainAll(sharedFiles());
        }
        assertThat(left).isEmpty();
    }

    private static Set<Path> sharedFiles() throws IOException {
        try (Stream<Path> files = Files.list(SHARED_MEMORY)) {
            return files.filter(file -> file.getFileName().toString().startsWith("fovea"))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    /** Environments that wait for a step, make a copy, sleep in native code, and were stopped. */
    static final class Main {
        private Main() {}

        public static void main(String[] args) throws InterruptedException {
            String[] faults = {"none", "slow", "native", "stop"};
            CountDownLatch started = new CountDownLatch(faults.length);
            for (String fault : faults) {
                String name = new GymnasiumName("Faulty-v0", Map.of("fault", fault), List.of(), args[0]).toString();
                boolean slow = fault.equals("slow");
                new Thread(() -> play(name, slow, started)).start();
            }
            started.await();
            Thread.sleep(500);
            System.out.println("playing");
            Thread.sleep(100_000);
        }

        private static void play(String name, boolean slow, CountDownLatch started) {
            EnvironmentSpec environments = Environments.get(name);
            if (slow) {
                environments.spaces();
                started.countDown();
                // The second copy in a process never comes.
                environments.createAll(2 * Runtime.getRuntime().availableProcessors());
            }
            VectorEnvironment batch = environments.createAll(1).get(0);
            StepBatch result =
                    StepBatch.allocate(batch.count(), batch.observationSpace().size());
            batch.reset(1, 0, result.observations());
            started.countDown();
            for (int step = 0; step < 4; step++) {
                batch.step(new int[1], new float[0], result);
            }
        }
    }
}
