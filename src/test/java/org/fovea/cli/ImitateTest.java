// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.run.SavedRun;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Policies that begin with recorded episodes, and training that begins with a policy. */
@Tag("integration")
class ImitateTest {
    @TempDir
    private Path directory;

    /** What somebody saw, did and got. */
    private record Step(float[] observation, int choice, float[] numbers, float reward, boolean end) {}

    /** Episodes of a rule, which is made anew for each; at most 200 steps long. */
    private static List<Step> record(String name, int episodes, Supplier<Function<float[], float[]>> rules) {
        List<Step> steps = new ArrayList<>();
        try (VectorEnvironment environment = Environments.get(name).create(1)) {
            int size = environment.observationSpace().size();
            boolean choosing = environment.actionSpace() instanceof Space.Discrete;
            float[] observation = new float[size];
            StepBatch result = StepBatch.allocate(1, size);
            for (int episode = 0; episode < episodes; episode++) {
                Function<float[], float[]> rule = rules.get();
                environment.reset(1000 + episode, 0, observation);
                boolean ended = false;
                for (int t = 0; t < 200 && !ended; t++) {
                    float[] action = rule.apply(observation.clone());
                    environment.step(new int[] {(int) action[0]}, action, result);
                    ended = result.terminated()[0] || result.truncated()[0] || t == 199;
                    steps.add(new Step(
                            observation.clone(),
                            choosing ? (int) action[0] : -1,
                            choosing ? new float[0] : action,
                            environment.reportedRewards(result)[0],
                            ended));
                    System.arraycopy(result.observations(), 0, observation, 0, size);
                }
            }
        }
        return steps;
    }

    private Path lines(List<Step> steps) throws IOException {
        List<String> lines = new ArrayList<>();
        for (Step step : steps) {
            lines.add("{\"observation\": " + Arrays.toString(step.observation) + ", \"action\": "
                    + (step.numbers.length > 0 ? Arrays.toString(step.numbers) : "" + step.choice)
                    + ", \"reward\": " + step.reward + ", \"end\": " + step.end + ", \"comment\": {\"any\": []}}");
        }
        // As some loggers begin a file, and say that there is nothing.
        lines.set(0, "\uFEFF{\"mask\": null, \"episode\": null, " + lines.get(0).substring(1));
        return Files.write(directory.resolve("episodes.jsonl"), lines);
    }

    /** As numpy.savez writes it. */
    private Path arrays(List<Step> steps) throws IOException {
        Path file = directory.resolve("episodes.npz");
        int size = steps.get(0).observation.length;
        ByteBuffer observations = buffer(steps.size() * size * Float.BYTES);
        ByteBuffer actions = buffer(steps.size() * Long.BYTES);
        ByteBuffer ends = buffer(steps.size());
        ByteBuffer rewards = buffer(steps.size() * Short.BYTES);
        for (Step step : steps) {
            for (float number : step.observation) {
                observations.putFloat(number);
            }
            actions.putLong(step.choice);
            ends.put((byte) (step.end ? 1 : 0));
            rewards.putShort(HalfPrecision.bits(DType.F16, step.reward));
        }
        try (OutputStream out = Files.newOutputStream(file);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            array(zip, "observations", "<f4", "(" + steps.size() + ", " + size + ")", observations);
            array(zip, "actions", "<i8", "(" + steps.size() + ",)", actions);
            array(zip, "ends", "|b1", "(" + steps.size() + ",)", ends);
            array(zip, "rewards", "<f2", "(" + steps.size() + ",)", rewards);
            // Python's objects, which are nothing to us.
            array(zip, "infos", "|O", "(" + steps.size() + ",)", buffer(8));
        }
        return file;
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void array(ZipOutputStream zip, String name, String type, String shape, ByteBuffer data)
            throws IOException {
        zip.putNextEntry(new ZipEntry(name + ".npy"));
        String header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
        header += " ".repeat(63 - (header.length() + 10) % 64) + "\n";
        DataOutputStream out = new DataOutputStream(zip);
        out.write(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0});
        out.writeShort(Short.reverseBytes((short) header.length()));
        out.write(header.getBytes(StandardCharsets.ISO_8859_1));
        byte[] bytes = new byte[data.capacity()];
        data.get(0, bytes);
        out.write(bytes);
        out.flush();
        zip.closeEntry();
    }

    private static float balance(float[] s) {
        return s[2] + 0.25f * s[3] + 0.05f * s[0] + 0.1f * s[1] > 0 ? 1 : 0;
    }

    @Test
    void aRuleIsClonedAndTrainedFurther() throws IOException {
        List<Step> steps = record("CartPole-v1", 20, () -> seen -> new float[] {balance(seen)});
        assertThat(steps).as("the rule never falls").hasSize(20 * 200);
        Path run = directory.resolve("clone");
        Cli cli = Cli.run(Cli.words(
                "imitate --data %s --env CartPole-v1 --policy mlp --set width=32 --steps 2048 --final-episodes 20"
                        + " --backend cpu --threads 1 --json --out %s",
                lines(steps), run));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        JsonNode json = cli.lastLineAsJson();
        assertThat(json.get("return_mean").asDouble()).isGreaterThan(490);
        assertThat(json.get("held_out_accuracy").asDouble()).isGreaterThan(0.95);
        assertThat(json.get("held_out_episodes").asInt()).isEqualTo(2);
        assertThat(cli.out()).contains("held out  ").contains("fovea train --resume --out " + run);

        Cli eval = Cli.run(Cli.words("eval %s --episodes 5 --backend cpu --json", run));
        assertThat(eval.lastLineAsJson().get("return_mean").asDouble()).isGreaterThan(490);
        Path file = directory.resolve("clone.safetensors");
        assertThat(Cli.run(Cli.words("export %s --safetensors %s", run, file)).exitCode())
                .isZero();

        // Of so few steps that it is still what it was: a new policy reaches 20.
        Path tuned = directory.resolve("tuned");
        Cli train = Cli.run(Cli.words(
                "train --init %s --env CartPole-v1 --steps 1 --set learning_rate=1e-5 --final-episodes 10 --backend cpu"
                        + " --threads 1 --json --out %s",
                file, tuned));
        assertThat(train.exitCode()).as(train.err()).isZero();
        assertThat(train.lastLineAsJson().get("return_mean").asDouble()).isGreaterThan(450);

        assertThat(tuned.resolve("config.yaml"))
                .content()
                .contains("init: \"" + tuned.resolve("initial.safetensors").toAbsolutePath() + "\"");
        Path again = directory.resolve("again");
        Cli repeated = Cli.run(
                Cli.words("train --config %s --backend cpu --threads 1 --out %s", tuned.resolve("config.yaml"), again));
        assertThat(repeated.exitCode()).as(repeated.err()).isZero();
        assertThat(SavedRun.policy(again, false).parameters())
                .as("a run's settings repeat it, what it began with included")
                .isEqualTo(SavedRun.policy(tuned, false).parameters());

        Cli resumed = Cli.run(Cli.words(
                "train --resume --set learning_rate=1e-5 --final-episodes 10 --backend cpu --threads 1 --json --out %s",
                run));
        assertThat(resumed.exitCode()).as(resumed.err()).isZero();
        assertThat(resumed.lastLineAsJson().get("return_mean").asDouble()).isGreaterThan(450);
    }

    @ParameterizedTest
    @CsvSource({"gru", "attention"})
    void aRuleThatRemembersIsClonedByPoliciesThatDo(String policy) throws Exception {
        // Say the suit of four cards before: of the first three nothing is asked.
        List<Step> steps = record("popgym-RepeatPreviousEasy-v0", 60, () -> {
            Deque<Integer> seen = new ArrayDeque<>();
            return observation -> {
                int suit = 0;
                while (observation[suit] == 0) {
                    suit++;
                }
                seen.addLast(suit);
                return new float[] {seen.size() < 4 ? 0 : seen.removeFirst()};
            };
        });
        Cli cli = Cli.run(Cli.words(
                "imitate --data %s --env popgym-RepeatPreviousEasy-v0 --policy %s --set width=32 --set layers=1 --set window=8"
                        + " --set rollout_steps=32 --learning-rate 0.005 --epochs 60 --final-episodes 20 --backend cpu --json --out %s",
                arrays(steps), policy, directory.resolve("clone")));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.lastLineAsJson().get("return_mean").asDouble())
                .as(cli.err())
                .isGreaterThan(0.95);
    }

    @Test
    void numbersAreClonedWithinTheirBounds() throws Exception {
        List<Step> steps =
                record("Pendulum-v1", 8, () -> seen -> new float[] {2 * (float) Math.tanh(seen[2] - seen[1])});
        Cli cli = Cli.run(Cli.words(
                "imitate --data %s --env Pendulum-v1 --policy mlp --epochs 60 --final-episodes 0 --backend cpu --threads 1"
                        + " --json --out %s",
                lines(steps), directory.resolve("clone")));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        // A constant is 0.25 away.
        assertThat(cli.lastLineAsJson().get("held_out_loss").asDouble()).isLessThan(0.02);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"observation\": [1,2,3], \"action\": 1} | line 2: the observation has 3 numbers, expected 4",
                "{\"observation\": [1,2,3,4], \"action\": 2} | line 2: the action is 2, expected a whole number from 0 to 1",
                "{\"observation\": [1,2,3,4], \"action\": 0.5} | line 2: the action is 0.5, expected a whole number",
                "{\"observation\": [1,2,3,4], \"action\": [1,0]} | line 2: the action has 2 numbers, expected 1",
                "{\"observation\": [1,2,3,1e99], \"action\": 1} | line 2: the observation's number [3] is 1.0E99",
                "{\"observation\": [1,2,3,4]} | line 2: it lacks \"action\"",
                "{\"observation\": [1,2,3,4], \"action\": 1 | line 2: it ends within a value",
                "{\"observation\": [1,2,3,4], \"action\": \"left\"} | where an array is expected; a step is one JSON object",
                "{\"observation\": [1,2,3,4], \"action\": 1, \"mask\": [1, 1]} | every choice is always allowed; leave masks out",
                "{\"observation\": [1,2,3,4], \"action\": 1, \"reward\": 1e300} | line 2: the reward is 1.0E300, expected a finite",
                "[1] | line 2: '[' at character 0 where an object is expected",
                "{} {} | something follows the object",
            })
    void badLinesAreNamed(String line, String problem) throws IOException {
        Path file = Files.writeString(
                directory.resolve("bad.jsonl"), "{\"observation\": [1,2,3,4], \"action\": 1}\n" + line + "\n");
        assertRefused(file, file + ", ", problem);
    }

    private void assertRefused(Path file, String... problems) {
        Path out = directory.resolve("none");
        Cli cli = Cli.run(Cli.words(
                "imitate --data %s --env CartPole-v1 --policy mlp --backend cpu --threads 1 --out %s", file, out));
        assertThat(cli.exitCode()).as(cli.err()).isEqualTo(2);
        assertThat(cli.err()).contains(problems);
        assertThat(out).doesNotExist();
    }

    @Test
    void badFilesAreNamed() throws IOException {
        List<Step> steps = record("CartPole-v1", 2, () -> seen -> new float[] {balance(seen)});
        Path cut = directory.resolve("cut.npz");
        byte[] bytes = Files.readAllBytes(arrays(steps));
        Files.write(cut, Arrays.copyOf(bytes, bytes.length / 2));
        assertRefused(cut, "it is no .npz file");
        Path lacking = directory.resolve("lacking.npz");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(lacking))) {
            array(zip, "observations", "<f4", "(2, 4)", buffer(32));
            array(zip, "actions", "<i8", "(3,)", buffer(24));
        }
        assertRefused(lacking, "it has no array 'ends', but [actions, observations]");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(lacking))) {
            array(zip, "observations", "<f4", "(2, 4)", buffer(32));
            array(zip, "actions", "<i8", "(3,)", buffer(24));
            array(zip, "ends", "<c8", "(2,)", buffer(16));
        }
        assertRefused(lacking, "array 'ends': it is {'descr': '<c8'");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(lacking))) {
            array(zip, "observations", "<f4", "(2, 4)", buffer(32));
            array(zip, "actions", "<i8", "(3,)", buffer(24));
            array(zip, "ends", "|b1", "(2,)", buffer(2));
        }
        assertRefused(lacking, "array 'actions': its shape is [3], expected 2 rows");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(lacking))) {
            array(zip, "observations", "<f4", "(200000, 4)", buffer(32));
        }
        assertRefused(lacking, "array 'observations': it ends before its last number");
        for (String[] bad : new String[][] {
            {"ends", "|b1", "(2, 0)", "array 'ends': its shape is [2, 0], expected [2], one number for each step"},
            {"ends", "|b1", "(2, 3)", "array 'ends': its shape is [2, 3], expected [2]"},
            {"ends", "|b1", "()", "array 'ends': its shape is [], expected 2 rows"},
            {"rewards", "<f4", "(2, 2)", "array 'rewards': its shape is [2, 2], expected [2]"},
            {"rewards", "<i0", "(2,)", "array 'rewards': its elements are of type i0, expected booleans"},
            {"rewards", "<f8", "(2147483647,)", "array 'rewards': it is larger than 2 GiB"},
            {"rewards", "<f4", "(2,)", "row 0: the reward is NaN, expected a finite number"},
        }) {
            try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(lacking))) {
                array(zip, "observations", "<f4", "(2, 4)", buffer(32));
                array(zip, "actions", "<i8", "(2,)", buffer(16));
                if (!bad[0].equals("ends")) {
                    array(zip, "ends", "|b1", "(2,)", buffer(2));
                }
                ByteBuffer data = buffer(16);
                if (bad[1].equals("<f4")) {
                    data.putFloat(0, Float.NaN);
                }
                array(zip, bad[0], bad[1], bad[2], data);
            }
            assertRefused(lacking, bad[3]);
        }
        assertRefused(Files.writeString(directory.resolve("x.csv"), ""), "must end in .jsonl or .npz");
        assertRefused(Files.writeString(directory.resolve("x.jsonl"), "\n"), "it has no step");
        assertRefused(directory.resolve("absent.jsonl"), "there is no file");
        Path one = Files.writeString(directory.resolve("one.jsonl"), "{\"observation\": [1,2,3,4], \"action\": 1}\n");
        assertRefused(one, "of 1 episode none can be held out", "--held-out 0");
    }

    @Test
    void aPolicyThatDoesNotFitBeginsNothing() throws IOException {
        List<Step> steps = record("CartPole-v1", 2, () -> seen -> new float[] {balance(seen)});
        Path run = directory.resolve("clone");
        assertThat(Cli.run(Cli.words(
                                "imitate --data %s --env CartPole-v1 --policy mlp --epochs 1 --final-episodes 0 --backend cpu"
                                        + " --threads 1 --out %s",
                                lines(steps), run))
                        .exitCode())
                .isZero();
        Path out = directory.resolve("none");
        Cli other = Cli.run(Cli.words(
                "train --init %s --env CartPole-v1 --set width=32 --backend cpu --threads 1 --out %s", run, out));
        assertThat(other.exitCode()).isEqualTo(2);
        assertThat(other.err())
                .contains("policy.0.weight is [4, 64] and in the network [4, 32]")
                .contains("value.2.weight is [64, 1] and in the network [32, 1]");
        assertThat(out).doesNotExist();
        Cli acrobot =
                Cli.run(Cli.words("train --init %s --env Acrobot-v1 --backend cpu --threads 1 --out %s", run, out));
        assertThat(acrobot.exitCode()).isEqualTo(2);
        assertThat(acrobot.err())
                .contains("policy.0.weight is [4, 64] and in the network [6, 64]")
                .contains("It was trained on observations Box[4 numbers");
        assertThat(Cli.run(Cli.words("train --init %s --env CartPole-v1", directory.resolve("absent")))
                        .err())
                .contains("there is no policy file or run directory");
        assertThat(Cli.run(Cli.words("train --init %s --resume --out %s", run, run))
                        .err())
                .contains("leave one of the two out");
    }
}
