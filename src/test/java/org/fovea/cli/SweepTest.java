// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.fovea.io.Checkpoint;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("integration")
class SweepTest {
    private static final String SMALL =
            "sweep --env CartPole-v1 --policy mlp --steps 512 --envs 4 --set width=8 --set rollout_steps=32 --backend cpu --episodes 5";

    @TempDir
    private Path directory;

    @Test
    void theTableHasEverySettingAndTheJsonEverySeed() throws JsonProcessingException {
        Path out = directory.resolve("sweep");
        String command = SMALL + " --grid lr=1e-4,1e-3 --seeds 2 --jobs 2 --json --out " + out;

        Cli cli = Cli.run(Cli.words(command));

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.out()).contains("learning_rate=1e-4").contains("95 % interval");
        JsonNode json = cli.lastLineAsJson();
        assertThat(json.get("results")).hasSize(2);
        JsonNode best = json.get("results").get(0);
        assertThat(best.get("greedy_by_seed")).hasSize(2);
        assertThat(best.get("greedy_iqm").asDouble())
                .isGreaterThanOrEqualTo(
                        json.get("results").get(1).get("greedy_iqm").asDouble())
                .isBetween(
                        best.get("greedy_iqm_low").asDouble(),
                        best.get("greedy_iqm_high").asDouble());
        assertThat(out.resolve("cells/v2-seed2.json")).content().contains("\"command\" : \"fovea " + command + "\"");
        assertThat(out.resolve("sweep.svg")).exists();
        assertThat(out.resolve("sweep.json")).content().isEqualTo(json + "\n");

        Cli again = Cli.run(Cli.words(command));
        assertThat(again.err()).contains("4 of 4 runs are done").doesNotContain("v1-seed1:");
        assertThat(again.lastLineAsJson()).isEqualTo(json);
    }

    @Test
    void aSweepThatIsOutOfTimeSaysWhatItLacks() throws JsonProcessingException {
        Path out = directory.resolve("sweep");
        Cli cli = Cli.run(Cli.words(SMALL.replace("--steps 512", "--steps 50000000")
                + " --grid lr=1e-4,1e-3 --seeds 1 --jobs 1 --time-limit 2s --json --out " + out));

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.err()).contains("0 of 2 runs are done; the same command with the same --out goes on");
        JsonNode results = cli.lastLineAsJson().get("results");
        assertThat(results.get(0).get("missing").asText()).isEqualTo("begun");
        assertThat(results.get(1).get("missing").asText()).isEqualTo("not run");
        assertThat(results.get(0).get("greedy_iqm").isNull()).isTrue();
    }

    @Test
    void theRunsAreNamedAndNoneIsRun() {
        Path out = directory.resolve("sweep");
        Cli cli = Cli.run(Cli.words(SMALL + " --grid lr=1e-4,1e-3 --seeds 2 --list --out " + out));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.out()).isEqualTo("v1-seed1\nv1-seed2\nv2-seed1\nv2-seed2\n");
        assertThat(out).doesNotExist();
    }

    @Test
    void aWholeNameIsThatRunAlone() {
        Path out = directory.resolve("sweep");
        Cli cli = Cli.run(Cli.words(SMALL + " --grid lr=1e-4 --seeds 10 --only v1-seed1 --out " + out));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.err()).contains("1 of 10 runs are done");
        assertThat(out.resolve("cells/v1-seed1.json")).exists();
        assertThat(out.resolve("cells/v1-seed10.json")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--grid lerning_rate=1 | unknown hyper-parameter 'lerning_rate'; nearest: learning_rate",
                "--grid lr=1e-5..1e-3 | by --random N",
                "--grid lr=1 --seeds 0 | seeds must be at least 1",
                "--grid lr=1 --jobs 0 | --jobs must be at least 1",
                "--grid lr=1 --random 0 | must be from 1 to 10000, got 0",
                "--seeds 2 | nothing is varied",
                "--grid epochs=0 | epochs must be at least 1",
                "--grid lr=1 --env Nothing-v0 | unknown environment 'Nothing-v0'",
                "--grid lr=1 --env-arg length=5 | CartPole-v1 has no parameters",
                "--grid lr=1 --env-wrapper a:B | --env-wrapper is for environments of Gymnasium",
                "--grid envs=99999999999 | envs must be a whole number of at most 2147483647, got '99999999999'",
                "--grid epochs=1,2 --set epochs=3 | epochs is varied by --grid, and set to one value as well",
                "--grid steps=512,1024 | steps is varied by --grid, and set to one value as well",
                "--grid lr=1 --threads -1 | --threads must be from 0",
                "--grid lr=1 --set window=0 | window must be"
            })
    void whatCannotBeIsRefusedBeforeAnythingStarts(String options, String message) {
        Path out = directory.resolve("sweep");
        String command = options.contains("--env ") ? SMALL.replace("--env CartPole-v1 ", "") : SMALL;
        Cli cli = Cli.run(Cli.words(command + " " + options + " --out " + out));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains(message);
        assertThat(out).doesNotExist();
    }

    @Test
    void aBackendThatThereIsNotIsNoFailureOfEveryRun() {
        Path out = directory.resolve("sweep");
        Cli cli = Cli.run(Cli.words(SMALL.replace("--backend cpu", "--backend cpv") + " --grid lr=1,2 --out " + out));
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains("unknown backend 'cpv'").hasLineCount(1);
        assertThat(out).doesNotExist();
    }

    @Test
    void theEnvironmentIsNamedAsInTrain() throws JsonProcessingException {
        Path out = directory.resolve("sweep");
        Cli cli = Cli.run(Cli.words(SMALL.replace("CartPole-v1", "TMaze-v0") + " --env-arg length=7 --seed 5"
                + " --grid lr=1e-3 --seeds 1 --jobs 1 --json --out " + out));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.lastLineAsJson().get("env").asText()).isEqualTo("TMaze-v0:length=7");
        assertThat(out.resolve("cells/v1-seed5.json")).exists();
    }

    @Test
    void settingsThatDivergeAreToldInOneLine() {
        Path out = directory.resolve("sweep");
        Cli cli = Cli.run(Cli.words(SMALL + " --grid lr=1e30,1e-3 --seeds 1 --jobs 1 --out " + out));
        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err())
                .containsPattern("v1-seed1 failed: .* is (NaN|-?Infinity) at step")
                .contains("v2-seed1: greedy")
                .contains("1 of 2 runs are done")
                .doesNotContain("internal error");
        assertThat(cli.out()).containsPattern("v1 +learning_rate=1e30 +0 +- +- +- +- +- +failed");
    }

    @Test
    void aDirectoryThatCannotBeIsNamed() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));
        Cli cli = Cli.run(Cli.words(SMALL + " --grid lr=1e-3 --out " + file.resolve("sweep")));
        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err())
                .contains("cannot use the directory " + file.resolve("sweep"))
                .doesNotContain("failed");
    }

    @Test
    @Timeout(180)
    void aKilledSweepGoesOnAndIsNotDisturbedBefore() throws IOException, InterruptedException {
        Path out = directory.resolve("sweep");
        String command =
                SMALL.replace("--steps 512", "--steps 100000") + " --grid lr=1e-3 --seeds 2 --jobs 2 --out " + out;
        try (Program program = Program.start(directory, Fovea.class, Cli.words(command))) {
            for (int seed = 1; seed <= 2; seed++) {
                while (program.isAlive()
                        && Checkpoint.latest(out.resolve("runs/v1-seed" + seed)).isEmpty()) {
                    Thread.sleep(20);
                }
            }
            Cli second = Cli.run(Cli.words(command));
            assertThat(second.exitCode()).isEqualTo(2);
            assertThat(second.err()).contains("another process is training in " + out);
            program.signal("KILL");
            program.awaitEnd();
        }
        assertThat(out.resolve("sweep.json")).doesNotExist();

        Cli again = Cli.run(Cli.words(command));
        assertThat(again.exitCode()).as(again.err()).isZero();
        assertThat(again.err())
                .containsPattern("v1-seed1: .*from step \\d")
                .containsPattern("v1-seed2: .*from step \\d");
        assertThat(out.resolve("sweep.json")).exists();
    }

    @Test
    @Timeout(180)
    void anInterruptedSweepReportsWhatThereIs() throws IOException, InterruptedException {
        Path out = directory.resolve("sweep");
        String command =
                SMALL.replace("--steps 512", "--steps 50000000") + " --grid lr=1e-3,1e-4 --seeds 1 --jobs 1 --out ";
        try (Program program = Program.start(directory, Fovea.class, Cli.words(command + out))) {
            program.awaitError("v1-seed1: CartPole-v1");
            program.signal("INT");
            program.awaitEnd();
            assertThat(program.exitCode()).isEqualTo(130);
            assertThat(program.err())
                    .contains("stopping the runs in an orderly way")
                    .contains("0 of 2 runs are done");
            assertThat(program.out()).containsPattern("v1 .* begun").containsPattern("v2 .* not run");
        }
    }
}
