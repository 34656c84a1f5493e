// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
class SuiteTest {
    @TempDir
    private Path directory;

    /** A second suffices for none of them: what there is, is begun or not run, what there is not is not available. */
    @Test
    void whatWasNotRunIsListed() throws JsonProcessingException {
        Path out = directory.resolve("classic");
        String command = "suite classic --quick --budget 1s --jobs 1 --backend cpu --json --out " + out;

        Cli cli = Cli.run(Cli.words(command));

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(out.resolve("README.md")).content().contains("Not run, or not to its end:");
        assertThat(cli.out())
                .contains("- CartPole-v1-ppo-mlp: begun")
                .contains("- Pendulum-v1-ppo-mlp: not run")
                .contains("- Acrobot-v1-ppo-mlp: not run, too long for --quick");
        JsonNode json = cli.lastLineAsJson();
        assertThat(json.get("results").get(0).get("missing").asText()).isEqualTo("begun");
        assertThat(json.get("results").get(0).get("greedy_by_seed")).isEmpty();
        assertThat(json.get("not_run")).isNotEmpty();

        assertThat(Cli.run(Cli.words(command)).err()).containsPattern("CartPole-v1-ppo-mlp-seed1: .*from step \\d");
    }

    @Test
    void whatCannotBeIsRefused() {
        Cli unknown = Cli.run("suite", "clasic");
        assertThat(unknown.exitCode()).isEqualTo(2);
        assertThat(unknown.err()).contains("unknown suite 'clasic'; nearest: classic");
        Cli none = Cli.run("suite", "classic", "--seeds", "0");
        assertThat(none.exitCode()).isEqualTo(2);
        assertThat(none.err()).contains("seeds must be at least 1");
        Cli late = Cli.run("suite", "classic", "--budget", "soon");
        assertThat(late.exitCode()).isEqualTo(2);
        assertThat(late.err()).contains("--budget needs minutes");
        Path out = directory.resolve("none");
        Cli nothing = Cli.run("suite", "classic", "--only", "Pong,Chess", "--backend", "cpu", "--out", out.toString());
        assertThat(nothing.exitCode()).isEqualTo(2);
        assertThat(nothing.err())
                .contains("--only Pong,Chess is in no run's name")
                .hasLineCount(1);
        Cli backend = Cli.run("suite", "classic", "--quick", "--backend", "cpv", "--out", out.toString());
        assertThat(backend.exitCode()).isEqualTo(2);
        assertThat(backend.err()).contains("unknown backend 'cpv'").hasLineCount(1);
        assertThat(out).doesNotExist();
    }

    @Test
    void thePythonOfGymnasiumCanBeChosen() {
        Path out = directory.resolve("gym");
        Cli cli =
                Cli.run(Cli.words("suite gym --quick --budget 1s --python /no/such/python --backend cpu --out " + out));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.out()).containsPattern("gym-Taxi-ppo-mlp: not available: .*/no/such/python");
    }
}
