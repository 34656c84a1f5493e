// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
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

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--grid lerning_rate=1 | unknown hyper-parameter 'lerning_rate'; nearest: learning_rate",
                "--grid lr=1e-5..1e-3 | by --random N",
                "--grid lr=1 --seeds 0 | seeds must be at least 1",
                "--grid lr=1 --jobs 0 | --jobs must be at least 1",
                "--grid lr=1 --random 0 | at least 1",
                "--seeds 2 | nothing is varied",
                "--grid epochs=0 | epochs must be at least 1",
                "--grid lr=1 --env Nothing-v0 | unknown environment 'Nothing-v0'"
            })
    void whatCannotBeIsRefusedBeforeAnythingStarts(String options, String message) {
        Path out = directory.resolve("sweep");
        String command = options.contains("--env") ? SMALL.replace("--env CartPole-v1 ", "") : SMALL;
        Cli cli = Cli.run(Cli.words(command + " " + options + " --out " + out));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains(message);
        assertThat(out).doesNotExist();
    }
}
