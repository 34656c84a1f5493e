// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.fovea.backend.cuda.Simulator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Processes that train one run, each on a simulated device, whose gradients go by NCCL's stand-in. */
@Tag("integration")
@Timeout(180)
class NcclRunTest {
    private static final Path SIMULATOR = Path.of("target", "native-tests").toAbsolutePath();

    @TempDir
    private Path directory;

    private List<String> progress(String collective, String ranks) throws IOException, InterruptedException {
        Path run = directory.resolve(collective + ranks);
        Map<String, String> environment = Map.of(
                "FOVEA_COLLECTIVE",
                collective,
                "JAVA_TOOL_OPTIONS",
                "-Dfovea.cuda.driver=" + SIMULATOR.resolve("libcuda.so.1") + " -Dfovea.cuda.image="
                        + SIMULATOR.resolve("simulated.fatbin"));
        String[] arguments = Cli.words("train --env CartPole-v1 --policy mlp --backend cuda --envs 8 --steps 1024"
                + " --set rollout_steps=32 --set width=8 --set minibatches=2 --final-episodes 0 --groups 2 --ranks "
                + ranks
                + " --out " + run);
        try (Program program = Program.start(directory, environment, Fovea.class, arguments)) {
            program.awaitEnd();
            assertThat(program.exitCode()).as(program.err()).isZero();
        }
        // Columns but for the steps per second.
        return Files.readAllLines(run.resolve("progress.csv")).stream()
                .map(line -> line.replaceFirst("^([^,]*,[^,]*),[^,]*", "$1"))
                .toList();
    }

    /** The sum of two numbers is the same in any order. */
    @Test
    void twoRanksTrainWhatTheyDoOverSockets() throws IOException, InterruptedException {
        assumeTrue(Simulator.missing().isEmpty(), () -> Simulator.missing().orElse(""));
        List<String> byNccl = progress("nccl", "2");
        assertThat(byNccl).hasSize(5).isEqualTo(progress("sockets", "2"));
    }
}
