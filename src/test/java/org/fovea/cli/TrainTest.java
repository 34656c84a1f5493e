// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.fovea.rl.run.Algorithm;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("integration")
class TrainTest {
    @TempDir
    private Path directory;

    /** Arguments of a run of a second, with more. */
    static String[] small(Path run, String... more) {
        List<String> args = new ArrayList<>(List.of(Cli.words(
                "train --env CartPole-v1 --policy mlp --steps 512 --envs 4 --backend cpu --out %s --set width=8 --set rollout_steps=32",
                run)));
        for (int i = 0; i < more.length; i += 2) {
            int given = more[i].equals("--set") ? -1 : args.indexOf(more[i]);
            if (given >= 0) {
                args.set(given + 1, more[i + 1]);
            } else {
                args.addAll(List.of(more).subList(i, Math.min(i + 2, more.length)));
            }
        }
        return args.toArray(String[]::new);
    }

    @Test
    void theLastLineIsOneJsonObject() throws JsonProcessingException {
        Path run = directory.resolve("run");

        Cli cli = Cli.run(small(run, "--seed", "7", "--json"));

        assertThat(cli.exitCode()).isZero();
        JsonNode json = cli.lastLineAsJson();
        assertThat(json.fieldNames())
                .toIterable()
                .containsExactly(
                        "env",
                        "algo",
                        "policy",
                        "backend",
                        "steps",
                        "end",
                        "seconds",
                        "sps",
                        "return_mean",
                        "return_std",
                        "return_episodes",
                        "return_episodes_cut",
                        "return_mean_sampled",
                        "return_std_sampled",
                        "return_mean_best",
                        "best_steps",
                        "return_max",
                        "episodes",
                        "episode_length",
                        "longest_episode",
                        "entropy",
                        "max_entropy",
                        "explained_variance",
                        "learning_rate",
                        "gradient_norm",
                        "seed",
                        "params",
                        "changes",
                        "run_dir");
        assertThat(json.get("sps").fieldNames()).toIterable().containsExactly("env", "inference", "train");
        assertThat(json.get("env").asText()).isEqualTo("CartPole-v1");
        assertThat(json.get("steps").asLong()).isEqualTo(512);
        assertThat(json.get("seed").asLong()).isEqualTo(7);
        assertThat(json.get("return_mean").asDouble()).isBetween(1.0, 500.0);
        assertThat(json.get("return_mean_sampled").asDouble())
                .isBetween(1.0, 500.0)
                .isNotEqualTo(json.get("return_mean").asDouble());
        assertThat(json.get("max_entropy").asDouble()).isEqualTo(Math.log(2));
        assertThat(json.get("entropy").asDouble()).isBetween(0.1, Math.log(2));
        assertThat(json.get("episode_length").asDouble()).isBetween(8.0, 500.0);
        assertThat(json.get("longest_episode").asInt()).isBetween(8, 128);
        assertThat(json.get("explained_variance").asDouble()).isLessThanOrEqualTo(1);
        // The last of four iterations, annealed from 0.001.
        assertThat(json.get("learning_rate").asDouble()).isCloseTo(0.00025, within(1e-9));
        assertThat(json.get("gradient_norm").asDouble()).isPositive();
        assertThat(json.get("run_dir").asText()).isEqualTo(run.toString());
        assertThat(cli.out()).contains("final return").contains("with training").contains("run directory");
    }

    @Test
    void aRunLeavesItsTableAndItsCurve() throws IOException {
        Path run = directory.resolve("run");

        Cli cli = Cli.run(small(run));

        assertThat(cli.exitCode()).isZero();
        List<String> table = Files.readAllLines(run.resolve("progress.csv"));
        assertThat(table).hasSize(1 + 4);
        assertThat(table.get(0).split(","))
                .contains("mean_length", "entropy", "explained_variance", "learning_rate", "gradient_norm");
        assertThat(table)
                .allSatisfy(line ->
                        assertThat(line.split(",")).hasSameSizeAs(table.get(0).split(",")));
        assertThat(run.resolve("learning-curve.png")).isNotEmptyFile();
    }

    @Test
    void stepsThatAreNoWholeRolloutsAreSaid() {
        Cli rounded = Cli.run(small(directory.resolve("rounded"), "--steps", "100"));
        Cli whole = Cli.run(small(directory.resolve("whole"), "--steps", "256"));

        assertThat(rounded.err()).contains("100 steps become 128: a rollout is 4 environments x 32 steps");
        assertThat(whole.err()).doesNotContain("become");
    }

    /** At a learning rate of 0 the policy stays as random as it is made. */
    @Test
    void aPolicyThatIsStillRandomIsSaid() {
        Cli random = Cli.run(small(directory.resolve("random"), "--set", "learning_rate=0"));
        Cli learning = Cli.run(small(
                directory.resolve("learning"),
                "--steps",
                "4096",
                "--set",
                "learning_rate=0.01",
                "--set",
                "entropy_coef=0"));

        assertThat(random.out()).contains("note: the policy's entropy is 0.693 of at most 0.693 nats");
        assertThat(learning.out()).doesNotContain("entropy is");
    }

    @Test
    void aWindowShorterThanEpisodesIsSaid() {
        Cli narrow = Cli.run(small(directory.resolve("narrow"), "--policy", "attention", "--set", "window=4"));
        Cli wide = Cli.run(small(directory.resolve("wide"), "--policy", "attention"));
        Cli none = Cli.run(small(directory.resolve("none"), "--set", "window=4"));

        assertThat(narrow.out())
                .containsPattern("episodes had up to \\d+ steps, attention sees the last 4.*--set window=\\d+");
        assertThat(wide.out()).doesNotContain("attention sees");
        assertThat(none.out()).doesNotContain("attention sees");
    }

    @Test
    void aPolicyIsEvaluatedGreedilyOrBySampling() throws JsonProcessingException {
        Path run = directory.resolve("run");
        JsonNode trained = Cli.run(small(run, "--json")).lastLineAsJson();

        Cli greedy = Cli.run("eval", run.toString(), "--json", "--backend", "cpu");
        Cli sampled = Cli.run("eval", run.toString(), "--stochastic", "--json", "--backend", "cpu");

        assertThat(greedy.lastLineAsJson().get("return_mean")).isEqualTo(trained.get("return_mean"));
        assertThat(greedy.lastLineAsJson().get("stochastic").asBoolean()).isFalse();
        assertThat(greedy.out()).contains("greedy");
        assertThat(sampled.lastLineAsJson().get("return_mean")).isEqualTo(trained.get("return_mean_sampled"));
        assertThat(sampled.lastLineAsJson().get("stochastic").asBoolean()).isTrue();
        assertThat(sampled.out()).contains("sampled actions");
    }

    @Test
    void theBestPolicyOfARunIsPlayed() throws JsonProcessingException {
        Path run = directory.resolve("run");
        Cli trained = Cli.run(small(run, "--eval-every", "128", "--eval-episodes", "3", "--json"));
        Cli best = Cli.run("eval", run.toString(), "--best", "--json", "--backend", "cpu");
        Path plain = directory.resolve("plain");
        Cli.run(small(plain));
        Cli none = Cli.run("eval", plain.toString(), "--best", "--backend", "cpu");

        assertThat(trained.err()).contains("evaluated ");
        assertThat(trained.out()).contains("best during training").contains("--best");
        assertThat(best.lastLineAsJson().get("trained_steps"))
                .isEqualTo(trained.lastLineAsJson().get("best_steps"));
        assertThat(none.exitCode()).isEqualTo(1);
        assertThat(none.err()).contains("has no best policy").contains("--eval-every");
    }

    @Test
    void aRunEndsAtItsTargetOrItsTimeLimit() throws JsonProcessingException {
        Cli target = Cli.run(small(directory.resolve("target"), "--eval-every", "128", "--target", "1", "--json"));
        Cli time = Cli.run(small(directory.resolve("time"), "--steps", "1000000000", "--time-limit", "1s", "--json"));

        assertThat(target.exitCode()).isZero();
        assertThat(target.lastLineAsJson().get("end").asText()).isEqualTo("target");
        assertThat(target.lastLineAsJson().get("steps").asLong()).isEqualTo(128);
        assertThat(target.out()).contains("the target was reached");
        assertThat(time.exitCode()).isZero();
        assertThat(time.lastLineAsJson().get("end").asText()).isEqualTo("time_limit");
        assertThat(time.out()).contains("time was up").contains("to go on:");
    }

    @ParameterizedTest
    @CsvSource({
        "--target 5, a target needs evaluations",
        "--eval-every -1, eval-every must be at least 1",
        "--time-limit soon, --time-limit needs minutes",
        "--time-limit 0, --time-limit needs minutes"
    })
    void whatCannotEndARunIsSaidInALine(String arguments, String message) {
        Cli cli = Cli.run(small(directory.resolve("run"), arguments.split(" ")));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains(message).hasLineCount(1);
    }

    @ParameterizedTest
    @CsvSource({"10, 600", "1.5, 90", "90s, 90", "10m, 600", "1h30m, 5400", "2H, 7200"})
    void timesAreReadAsPeopleWriteThem(String text, double seconds) {
        assertThat(NumberFormats.seconds("--time-limit", text)).isEqualTo(seconds);
    }

    @ParameterizedTest
    @EnumSource(Algorithm.class)
    void aRunIsResumedAndEvaluated(Algorithm algorithm) throws JsonProcessingException {
        Path run = directory.resolve("run");
        assertThat(Cli.run(small(run, "--algo", algorithm.toString())).exitCode())
                .isZero();

        Cli resumed =
                Cli.run("train", "--resume", "--out", run.toString(), "--steps", "1024", "--json", "--backend", "cpu");
        Cli evaluated = Cli.run("eval", run.toString(), "--episodes", "5", "--json", "--backend", "cpu");

        assertThat(resumed.exitCode()).isZero();
        assertThat(resumed.lastLineAsJson().get("steps").asLong()).isEqualTo(1024);
        assertThat(resumed.lastLineAsJson().get("algo").asText()).isEqualTo(algorithm.toString());
        assertThat(evaluated.exitCode()).isZero();
        assertThat(evaluated.lastLineAsJson().get("episodes").asLong()).isEqualTo(5);
        assertThat(evaluated.lastLineAsJson().get("return_mean").asDouble()).isBetween(1.0, 500.0);
    }

    @Test
    void aResumedRunMayRunOtherwise() {
        Path run = directory.resolve("run");
        Cli rounded = Cli.run(small(run, "--set", "precision=bf16"));
        assertThat(rounded.exitCode()).isZero();
        assertThat(rounded.err()).contains("precision=bf16 is for a GPU: the CPU computes in float32");

        Cli resumed =
                Cli.run("train", "--resume", "--out", run.toString(), "--backend", "cpu", "--set", "precision=float32");

        assertThat(resumed.exitCode()).isZero();
        assertThat(resumed.err()).doesNotContain("precision");
    }

    @Test
    void aResumedRunSaysWhatWasChanged() throws JsonProcessingException {
        Path run = directory.resolve("run");
        assertThat(Cli.run(small(run)).exitCode()).isZero();

        Cli resumed = Cli.run(Cli.words(
                "train --resume --out %s --steps 1024 --set learning_rate=3e-4 --set clip=0.2 --json --backend cpu",
                run));
        Cli again = Cli.run(Cli.words("train --resume --out %s --set epochs=2 --json --backend cpu", run));
        Cli evaluated = Cli.run(Cli.words("eval %s --episodes 5 --json --backend cpu", run));

        assertThat(resumed.exitCode()).as(resumed.err()).isZero();
        assertThat(resumed.err())
                .contains("changed at step 512: learning_rate from 0.001 to 3.0E-4")
                .contains("changed at step 512: steps from 512 to 1024")
                .doesNotContain("clip");
        JsonNode changes = resumed.lastLineAsJson().get("changes");
        assertThat(changes).hasSize(2);
        assertThat(changes.get(1).toString())
                .isEqualTo("{\"steps\":512,\"setting\":\"learning_rate\",\"before\":\"0.001\",\"after\":\"3.0E-4\"}");
        assertThat(again.err())
                .contains("changed at step 512: learning_rate")
                .contains("changed at step 1,024: epochs");
        assertThat(evaluated.out()).contains("changed at step 1,024: epochs from 20 to 2");
        assertThat(evaluated.lastLineAsJson().get("changes")).hasSize(3);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--seed 2 | --seed is 1 there, not 2",
                "--envs 8 | --envs is 4 there, not 8",
                "--algo trpo | --algo is ppo there, not trpo",
                "--set width=16 | cannot change width from 8 to 16, since its parameters",
                "--set action_limit=tanh | cannot change action_limit from clip to tanh",
                "--set rollout_steps=64 | cannot change rollout_steps from 32 to 64",
                "--set normalize_rewards=true | cannot change normalize_rewards from false to true",
                "--set normalize_observations=true | cannot change normalize_observations from false to true",
            })
    void aResumedRunKeepsWhatItsStateIsMadeOf(String given, String refusal) {
        Path run = directory.resolve("run");
        assertThat(Cli.run(small(run)).exitCode()).isZero();

        Cli resumed = Cli.run(Cli.words("train --resume --out %s --steps 1024 %s", run, given));

        assertThat(resumed.exitCode()).isEqualTo(2);
        assertThat(resumed.err()).contains(refusal).contains("start a new run for it");
    }

    @Test
    void overwritingReplacesTheRun() throws IOException {
        Path run = directory.resolve("run");
        assertThat(Cli.run(small(run)).exitCode()).isZero();

        Cli cli = Cli.run(small(run, "--steps", "256", "--overwrite"));

        assertThat(cli.exitCode()).isZero();
        assertThat(Files.readAllLines(run.resolve("progress.csv"))).hasSize(1 + 2);
    }

    @Test
    void aTerminalGetsABarOfItsWidth() {
        Cli cli = Cli.run(90, small(directory.resolve("run")));

        assertThat(cli.err().lines().filter(line -> line.contains("=] 512 / 512 steps")))
                .isNotEmpty()
                .allSatisfy(line -> assertThat(line).hasSize(89));
    }

    @ParameterizedTest
    @EnumSource(Algorithm.class)
    void everyHyperparameterIsExplained(Algorithm algorithm) {
        Cli cli = Cli.run("train", "--algo", algorithm.toString(), "--set", "help");

        assertThat(cli.exitCode()).isZero();
        for (String name : algorithm.hyperparameters()) {
            assertThat(cli.out()).containsPattern("(?m)^  " + name + " +\\S+ +\\S.+$");
        }
        assertThat(cli.out()).contains("  cublas ").contains("  precision ");
        assertThat(Cli.run("bench", "train", "--set", "help").out())
                .contains("  cublas ")
                .doesNotContain("learning_rate");
    }
}
