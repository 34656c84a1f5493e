// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective.nccl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.Backends;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.fovea.collective.Collective;
import org.fovea.collective.CollectiveException;
import org.fovea.collective.RankSettings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** NCCL's stand-in between processes, each with a simulated device of its own; and what is said where there is none. */
@Tag("integration")
@Timeout(120)
class NcclTest {
    private static final int SECONDS = 60;
    private static final RankSettings ALONE = new RankSettings(0, 1, 0, "127.0.0.1", 1, "", "nccl");

    @TempDir
    private Path directory;

    /** What each of some ranks, as processes, prints. */
    private List<List<String>> run(Path meeting, int size, String work, String classPath)
            throws IOException, InterruptedException {
        assumeTrue(Simulator.missing().isEmpty(), () -> Simulator.missing().orElse(""));
        Files.createDirectories(meeting);
        List<Process> processes = new ArrayList<>();
        for (int rank = 0; rank < size; rank++) {
            List<String> command = new ArrayList<>(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-XX:TieredStopAtLevel=1",
                    "-XX:+UseSerialGC",
                    "-Xmx256m"));
            command.addAll(List.of("-cp", classPath, NcclRank.class.getName()));
            command.addAll(List.of(meeting.toString(), Integer.toString(rank), Integer.toString(size), work));
            processes.add(new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(meeting.resolve("printed-" + rank).toFile())
                    .start());
        }
        List<List<String>> printed = new ArrayList<>();
        try {
            for (Process process : processes) {
                assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
                printed.add(Files.readAllLines(meeting.resolve("printed-" + printed.size())));
            }
            return printed;
        } finally {
            processes.forEach(Process::destroyForcibly);
        }
    }

    private List<List<String>> run(String meeting, int size, String work) throws IOException, InterruptedException {
        return run(directory.resolve(meeting), size, work, System.getProperty("java.class.path"));
    }

    private float[] sum(String meeting, int rank) throws IOException {
        float[] values = new float[NcclRank.LENGTH];
        ByteBuffer.wrap(Files.readAllBytes(directory.resolve(meeting).resolve("sum-" + rank)))
                .asFloatBuffer()
                .get(values);
        return values;
    }

    @Test
    void sumsAreThoseOfAllRanksAndTheSameBitsFromRunToRun() throws IOException, InterruptedException {
        int size = 3;
        List<List<String>> printed = run("first", size, "sums");
        float replayed = (float) Math.pow(size, NcclRank.REPLAYS);
        for (int rank = 0; rank < size; rank++) {
            assertThat(printed.get(rank))
                    .containsExactly(
                            "broadcast " + (float) rank + " 1.0 1.0",
                            "captured 1.0",
                            "replayed [" + replayed + ", " + replayed + "]");
        }
        float[] sums = sum("first", 0);
        float[][] terms = {NcclRank.values(0), NcclRank.values(1), NcclRank.values(2)};
        for (int i = 0; i < sums.length; i++) {
            double expected = 0;
            for (float[] of : terms) {
                expected += of[i];
            }
            // Two additions of numbers below 3.
            assertThat((double) sums[i]).isCloseTo(expected, within(2.0 * Math.ulp(2f)));
        }
        run("second", size, "sums");
        for (int rank = 0; rank < size; rank++) {
            assertThat(Arrays.equals(sum("first", rank), sums)).isTrue();
            assertThat(Arrays.equals(sum("second", rank), sums)).isTrue();
        }
    }

    @Test
    void aRankThatDiesEndsTheOthersWithinSeconds() throws IOException, InterruptedException {
        List<List<String>> printed = run("dies", 3, "dies");
        assertThat(printed.get(1)).isEmpty();
        for (int rank : new int[] {0, 2}) {
            String[] line = printed.get(rank).get(0).split(" \\| ");
            assertThat(line[0])
                    .isEqualTo("NCCL at rank " + rank
                            + " of 3 has lost another rank: remote process exited or there was a" + " network error");
            assertThat(Integer.parseInt(line[1])).isLessThan(5);
        }
    }

    @Test
    void aFailureThatTheHostHearsOfEndsWhatTheDeviceWaitsFor() throws IOException, InterruptedException {
        List<List<String>> printed = run("fails", 2, "fails");
        for (List<String> lines : printed) {
            assertThat(lines.get(0)).matches("rank 1 has no memory left \\| [0-4]");
        }
    }

    @Test
    void withoutJnaItIsNamed() throws IOException, InterruptedException {
        String withoutJna = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !Path.of(entry).getFileName().toString().startsWith("jna-"))
                .collect(Collectors.joining(File.pathSeparator));
        assertThat(run(directory.resolve("jna"), 1, "sums", withoutJna).get(0).get(0))
                .startsWith("NCCL can't be used: rank 0 says: JNA is not on the class path; add net.java.dev.jna:jna");
    }

    @Test
    void withoutTheLibraryItIsNamed() throws IOException, InterruptedException {
        String answer = run("elsewhere", 1, "elsewhere").get(0).get(0);
        assertThat(answer)
                .isEqualTo("NCCL can't be used: rank 0 says: libnccl.so.2 was not found beside the driver: "
                        + directory.resolve("elsewhere").resolve("libnccl.so.2"));
    }

    @Test
    void aRankWithAnotherVersionIsNamed() {
        try (Backend backend = Simulator.open();
                Collective host = answering("22105")) {
            assertThatThrownBy(() -> new NcclProvider().open(backend, ALONE, host))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessage(
                            "NCCL can't be used: rank 0 has version 22304, rank 1 has 22105; install the same everywhere");
        }
    }

    /** As the library does where two ranks have one device. */
    @Test
    void aCommunicatorThatCannotBeMadeLeavesTheHost() {
        try (Backend backend = Simulator.open();
                Collective host = new FileCollective(directory, 0, 1)) {
            int invalidUsage = 5;
            Simulator.fail("ncclCommInitRank", 1, invalidUsage);
            assertThatThrownBy(() -> new NcclProvider().open(backend, ALONE, host))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessage("NCCL can't be used: rank 0 says: ncclCommInitRank failed: invalid usage (run with"
                            + " NCCL_DEBUG=WARN for details)");
            assertThat(host.gather(1.0)[0]).containsExactly(1);
        }
    }

    @Test
    void aBackendWithoutCudaIsNamed() {
        try (Backend cpu = Backends.open("cpu", BackendSettings.DEFAULT).backend();
                Collective host = new FileCollective(directory, 0, 1)) {
            assertThat(new NcclProvider().suits(cpu)).isFalse();
            assertThatThrownBy(() -> new NcclProvider().open(cpu, ALONE, host))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContaining("NCCL is between CUDA devices, but the backend is cpu");
        }
    }

    /** A host of two ranks, the other of which answers so. */
    private Collective answering(String answer) {
        FileCollective one = new FileCollective(directory, 0, 2);
        FileCollective other = new FileCollective(directory, 1, 2);
        Thread thread = new Thread(() -> other.gather(answer.getBytes(StandardCharsets.UTF_8)));
        thread.setDaemon(true);
        thread.start();
        return one;
    }

    @Test
    void whatTheLibraryRefusesIsNamed() {
        try (Backend backend = Simulator.open();
                Collective nccl = new NcclProvider().open(backend, ALONE, new FileCollective(directory, 0, 1))) {
            DeviceArray integers = backend.memory().allocate(DType.I32, 4);
            assertThatThrownBy(() -> nccl.allReduceSum(integers))
                    .isInstanceOf(ShapeException.class)
                    .hasMessage("allReduceSum: array is I32[4], expected elements of F32");
            DeviceArray array = backend.memory().allocate(DType.F32, 4);
            int invalidUsage = 5;
            Simulator.fail("ncclAllReduce", 1, invalidUsage);
            assertThatThrownBy(() -> nccl.allReduceSum(array))
                    .isInstanceOf(CollectiveException.class)
                    .hasMessage(
                            "ncclAllReduce of F32[4] failed at rank 0 of 1: invalid usage (run with NCCL_DEBUG=WARN for"
                                    + " details)");
            backend.memory().fill(array, 2);
            nccl.allReduceSum(array);
            float[] values = new float[4];
            backend.memory().download(array, values, 0);
            assertThat(values).containsOnly(2);
            array.release();
            assertThatThrownBy(() -> nccl.allReduceSum(array))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("used after its scope was closed or it was released");
            integers.release();
        }
    }

    @Test
    void aStepThatHasASumKnowsItsArray() {
        try (Backend backend = Simulator.open();
                Collective nccl = new NcclProvider().open(backend, ALONE, new FileCollective(directory, 0, 1))) {
            DeviceArray array = backend.memory().allocate(DType.F32, 4);
            try (CapturedStep step = backend.capture(() -> nccl.allReduceSum(array))) {
                step.replay();
                backend.synchronize();
                array.release();
                assertThatThrownBy(step::replay)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("which was released");
            }
        }
    }
}
