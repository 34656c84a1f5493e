// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.fovea.rl.run.SavedRun;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What all commands have in common, and what a file can say in place of options. */
@Tag("integration")
class LookTest {
    @TempDir
    private Path directory;

    @Test
    void quietLeavesResultsAndErrorsAlone() throws IOException {
        Cli quiet = Cli.run(TrainTest.small(directory.resolve("quiet"), "--quiet", "--json"));
        Cli report = Cli.run(TrainTest.small(directory.resolve("report"), "--quiet", "--steps", "500"));
        Cli wrong = Cli.run("--quiet", "eval", "no/such/run");

        assertThat(quiet.exitCode()).as(quiet.err()).isZero();
        assertThat(quiet.err()).isEmpty();
        assertThat(quiet.out()).hasLineCount(1);
        assertThat(quiet.lastLineAsJson().get("steps").asLong()).isEqualTo(512);
        assertThat(report.err()).isEmpty();
        assertThat(report.out()).contains("final return");
        assertThat(wrong.err()).contains("no run directory").hasLineCount(1);
    }

    @Test
    void anErrorsPlaceIsShownWhereItIsAskedFor() {
        Cli plain = Cli.run("eval", "no/such/run");
        Cli traced = Cli.run("eval", "no/such/run", "--stacktrace");

        assertThat(plain.err()).hasLineCount(1);
        assertThat(traced.err()).startsWith(plain.err()).contains("\tat org.fovea.cli.EvalCommand");
    }

    @Test
    void whatIsLoggedIsPrintedFromALevelOn() {
        Cli debug = Cli.run(TrainTest.small(directory.resolve("debug"), "--log-level", "debug"));
        Cli usual = Cli.run(TrainTest.small(directory.resolve("usual")));

        assertThat(debug.err()).contains("fovea: debug: Trainer: checkpoint after iteration");
        assertThat(usual.err()).doesNotContain("debug");
        assertThat(Cli.run("envs", "--log-level", "chatty").err())
                .contains("--log-level")
                .hasLineCount(1);
    }

    @Test
    void aTerminalsBarHasThePhasesThatItHasRoomFor() {
        String wide = Cli.run(160, TrainTest.small(directory.resolve("wide"))).err();
        String narrow =
                Cli.run(60, TrainTest.small(directory.resolve("narrow"))).err();

        assertThat(wide)
                .containsPattern("=] 512 / 512 steps .* environment \\d+ %, inference \\d+ %, update \\d+ %   0s left");
        assertThat(narrow.split("\r"))
                .allSatisfy(line -> assertThat(line.strip()).hasSizeLessThan(160));
        assertThat(narrow).contains("512 / 512 steps").doesNotContain("environment");
    }

    @ParameterizedTest
    @CsvSource({"xterm, '', true, true", "xterm, 1, false, true", "dumb, '', false, false"})
    void coloursAreLeftOutWhereTheyAreNotWanted(String term, String noColour, boolean colours, boolean interactive) {
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);

        Terminal terminal = Terminal.of(nowhere, nowhere, 80, true, Map.of("TERM", term, "NO_COLOR", noColour));
        Terminal piped = Terminal.of(nowhere, nowhere, 80, false, Map.of("TERM", "xterm"));

        assertThat(terminal.styled(Terminal.Style.GOOD, "done")).isEqualTo(colours ? "\033[32mdone\033[0m" : "done");
        assertThat(terminal.isInteractive()).isEqualTo(interactive);
        assertThat(piped.styled(Terminal.Style.GOOD, "done")).isEqualTo("done");
        assertThat(piped.isInteractive()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"envs", "version", "doctor", "bench env CartPole-v1 --seconds 0.01", "bench gemm --size 8"})
    void resultsAreJsonWhereThatIsAskedFor(String command) throws IOException {
        Cli cli = Cli.run((command + " --quiet --json").split(" "));

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.out()).hasLineCount(1);
        assertThat(cli.lastLineAsJson().isObject()).isTrue();
        assertThat(cli.lastLineAsJson().size()).isPositive();
    }

    /** Otherwise than --set, which gives a hyper-parameter, and --steps. */
    @Test
    void aRunsOwnConfigurationRepeatsItBitForBit() throws IOException {
        Path run = directory.resolve("run");
        Path again = directory.resolve("again");
        assertThat(Cli.run(TrainTest.small(run, "--seed", "3", "--set", "gamma=0.97", "--eval-every", "256"))
                        .exitCode())
                .isZero();

        Cli repeated = Cli.run(
                "train",
                "--config",
                run.resolve("config.yaml").toString(),
                "--out",
                again.toString(),
                "--backend",
                "cpu");

        assertThat(repeated.exitCode()).as(repeated.err()).isZero();
        assertThat(tensors(again)).isEqualTo(tensors(run));
        assertThat(Files.readString(again.resolve("evaluations.csv")))
                .isEqualTo(Files.readString(run.resolve("evaluations.csv")));
        assertThat(settings(again)).isEqualTo(settings(run));
    }

    /** Changed twice on the way, at other steps, and trained for longer than it was to be. */
    @Test
    void aRunThatWasResumedWithOtherSettingsIsRepeatedBitForBit() throws IOException {
        Path run = directory.resolve("run");
        Path again = directory.resolve("again");
        assertThat(Cli.run(TrainTest.small(run, "--steps", "256")).exitCode()).isZero();
        Cli resumed = Cli.run(Cli.words(
                "train --resume --out %s --steps 384 --set learning_rate=5e-4 --set epochs=2 --backend cpu", run));
        assertThat(resumed.exitCode()).as(resumed.err()).isZero();
        assertThat(Cli.run(Cli.words("train --resume --out %s --steps 512 --set clip=0.1 --backend cpu", run))
                        .exitCode())
                .isZero();

        Cli repeated = Cli.run(
                Cli.words("train --config %s --out %s --backend cpu --json", run.resolve("config.yaml"), again));

        assertThat(repeated.exitCode()).as(repeated.err()).isZero();
        assertThat(repeated.lastLineAsJson().get("changes")).hasSize(5);
        assertThat(SavedRun.policy(again, false).parameters())
                .isEqualTo(SavedRun.policy(run, false).parameters());
        assertThat(settings(again)).isEqualTo(settings(run)).contains("  - \"256:learning_rate=5.0E-4\"");
        assertThat(Files.readAllLines(again.resolve("progress.csv"))).hasSize(1 + 512 / 128);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "100:clip=0.1 | changes are made between rollouts, which are of 128 steps in this run",
                "0:clip=0.1 | expected a multiple of that",
                "1024:clip=0.1 | the run ends at step 512",
                "128:clip | --change takes STEPS:KEY=VALUE",
                "128:clop=1 | clop",
                "128:steps=many | steps must be a whole number",
            })
    void aChangeThatCannotBeMadeBeginsNothing(String change, String message) {
        Path run = directory.resolve("none");
        Cli cli = Cli.run(TrainTest.small(run, "--change", change));
        assertThat(cli.exitCode()).as(cli.err()).isEqualTo(2);
        assertThat(cli.err()).contains(message).hasLineCount(1);
        assertThat(run).doesNotExist();
    }

    private static byte[] tensors(Path run) throws IOException {
        return Files.readAllBytes(run.resolve("checkpoint-000000000512").resolve("tensors.safetensors"));
    }

    private static List<String> settings(Path run) throws IOException {
        return Files.readAllLines(run.resolve("config.yaml")).stream()
                .filter(line -> !line.startsWith("#"))
                .toList();
    }

    private Path config(String text) throws IOException {
        return Files.writeString(directory.resolve("run.yaml"), text.replace(';', '\n'));
    }

    @Test
    void whatIsGivenBesideAConfigurationCounts() throws IOException {
        Path file = config("env: MemoryChain-v0;env-arg: {length: 3};policy: mlp;steps: 64;envs: 2;final_episodes: 2;"
                + "json: true;set: {rollout_steps: 16, width: 8, learning_rate: 1e-3}");

        Cli asItIs = Cli.run(train(file, "asItIs"));
        Cli changed = Cli.run(train(
                file, "changed", "--steps", "32", "--set", "width=4", "--env", "CartPole-v1", "--seed=9", "--quiet"));

        assertThat(asItIs.exitCode()).as(asItIs.err()).isZero();
        assertThat(asItIs.lastLineAsJson().get("env").asText()).startsWith("MemoryChain-v0:length=3");
        assertThat(asItIs.lastLineAsJson().get("steps").asLong()).isEqualTo(64);
        assertThat(asItIs.lastLineAsJson().get("return_episodes").asLong()).isEqualTo(2);
        assertThat(changed.exitCode()).as(changed.err()).isZero();
        assertThat(changed.err()).isEmpty();
        assertThat(changed.lastLineAsJson().get("env").asText()).isEqualTo("CartPole-v1");
        assertThat(changed.lastLineAsJson().get("seed").asLong()).isEqualTo(9);
        assertThat(changed.lastLineAsJson().get("steps").asLong()).isEqualTo(32);
        assertThat(settings(directory.resolve("changed"))).contains("  width: 4", "  learning_rate: 0.001");
    }

    private String[] train(Path file, String run, String... more) {
        List<String> args = new ArrayList<>(List.of("train", "--config=" + file, "--backend", "cpu"));
        args.addAll(List.of("--out", directory.resolve(run).toString()));
        args.addAll(List.of(more));
        return args.toArray(String[]::new);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "seed: 1;stepz: 3 | run.yaml, line 2: unknown key 'stepz'; nearest: steps",
                "learning_rate: 3 | run.yaml, line 1: learning_rate is a hyper-parameter, which goes under set",
                "set: {learning_rat: 3} | unknown hyper-parameter 'learning_rat'; nearest: learning_rate",
                "seed: one | run.yaml, line 1: seed must be a whole number, got 'one'",
                "target: high | run.yaml, line 1: target must be a number, got 'high'",
                "seed: [1, 2] | run.yaml, line 1: seed takes one value, not 2",
                "env: {name: x} | run.yaml, line 1: env takes one value, not KEY: VALUE",
                "json: perhaps | run.yaml, line 1: json must be true or false, got 'perhaps'",
                "config: other.yaml | run.yaml, line 1: unknown key 'config'",
                "env: 'x | run.yaml, line 1: not YAML",
                "policy: atention | unknown policy 'atention'; nearest: attention"
            })
    void aWrongConfigurationIsAnsweredInOneLine(String of) throws IOException {
        Cli cli = Cli.run(train(config(of.split(" \\| ")[0]), "run"));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains(of.split(" \\| ")[1])
                .startsWith("fovea train: ")
                .hasLineCount(1);
        assertThat(directory.resolve("run")).doesNotExist();
    }

    @Test
    void aConfigurationThatIsNotThereIsSaid() {
        Cli cli = Cli.run(train(directory.resolve("none.yaml"), "run"));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains("there is no file " + directory.resolve("none.yaml"))
                .hasLineCount(1);
    }

    /** As bash does it: the script is sourced, and its function called for a line that is being typed. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "train --pol | --policy",
                "train --policy att | attention",
                "train --algo tr | trpo",
                "train --env CartP | CartPole-v1",
                "eval --backend cu | cuda",
                "bench at | attention",
                "runs --sort sco | score",
                "comple | completion"
            })
    void bashCompletes(String of) throws IOException, InterruptedException {
        Path script = Files.writeString(
                directory.resolve("completion"), Cli.run("completion", "bash").out());
        String line = of.split(" \\| ")[0];
        String program = """
                source "$1"
                COMP_LINE="fovea $2"
                COMP_WORDS=(fovea $2)
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                COMP_POINT=${#COMP_LINE}
                _complete_fovea
                printf '%s\\n' "${COMPREPLY[@]}"
                """;
        Process bash = new ProcessBuilder("bash", "-c", program, "bash", script.toString(), line)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();

        String answer = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(bash.waitFor()).as(answer).isZero();
        assertThat(answer.lines().map(String::strip)).contains(of.split(" \\| ")[1]);
    }

    /** At a terminal of its own: the line is typed, and the key pressed. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "attention-m | attention-map ",
                "train --pol | --policy ",
                "train --policy  | gru",
                "train --env CartP | CartPole-v1 ",
            })
    void zshCompletes(String of) throws IOException, InterruptedException {
        Path script = Files.writeString(
                directory.resolve("completion"), Cli.run("completion", "zsh").out());
        String[] parts = of.split(" \\| ");
        String program = """
                zmodload zsh/zpty || exit 1
                zpty z zsh -f -i
                zpty -w z "autoload -U compinit; compinit -u -D; source $1; print READ''Y"
                zpty -r -m z before '*READY*'
                zpty -n -w z "fovea $2"$'\\t'
                zpty -r -m z after "*$3*" && print completed
                zpty -d z
                """;
        Process zsh;
        try {
            zsh = new ProcessBuilder("zsh", "-f", "-c", program, "zsh", script.toString(), parts[0], parts[1].strip())
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            zsh = abort("zsh is absent");
        }
        // Where nothing is completed it waits for ever.
        assertThat(zsh.waitFor(60, TimeUnit.SECONDS))
                .as("completed '%s'", parts[0])
                .isTrue();
        assertThat(new String(zsh.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .contains("completed");
    }
}
