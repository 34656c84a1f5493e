// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.env.Environments;
import org.fovea.env.Schema;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.fovea.io.CorruptFileException;
import org.fovea.io.SafeTensors;
import org.fovea.io.TensorData;
import org.fovea.rl.evaluation.Evaluation;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.TrainedPolicy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Policies outside of the trainer, beside what evaluations of the same policies do. */
final class PolicyTest {
    private static final int EPISODES = 3;
    private static final long SEED = 5;

    @TempDir
    Path folder;

    private Path run(String environment, PolicyKind kind, String settings) throws IOException {
        return SmallRuns.train(folder.resolve("run"), environment, kind, settings);
    }

    private Path export(Path run) throws IOException {
        return SmallRuns.export(run, folder.resolve("policy.safetensors"));
    }

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, MLP,",
        "Pendulum-v1, MLP, normalize_observations=true action_limit=tanh",
        "Pendulum-v1, GRU, layers=2 previous_action=shown",
        "Pendulum-v1, ATTENTION, normalize_observations=true episode_step=true",
        "MemoryChain-v0, ATTENTION, critic=separate",
        "MemoryChain-v0, ATTENTION, critic=detached gating=true similarity=cosine layers=2",
        "MemoryChain-v0, ATTENTION, window=1 similarity=euclidean",
        "MemoryChain-v0, GRU, burn_in=3",
        "Dispatch-v0, MLP, normalize_observations=true",
        "Dispatch-v0, GRU,",
        "EntityGrid-v0, ATTENTION, normalize_observations=true",
        "NearestEntityAndCount-v0, MLP, normalize_observations=true",
        "Catch-v0, GRU,",
        "popgym-BattleshipEasy-v0, ATTENTION,",
    })
    void actsAsEvaluationsDoToTheBit(String environment, PolicyKind kind, String settings) throws IOException {
        Path run = run(environment, kind, settings);
        for (Path from : List.of(run, export(run))) {
            Policy policy = Policy.load(from);
            for (boolean sampled : new boolean[] {false, true}) {
                EvaluationSettings episodes = new EvaluationSettings(EPISODES, SEED, 60, 1e9, sampled);
                EvaluationResult expected;
                try (Backend backend = Runs.cpu(1);
                        TrainedPolicy trained = TrainedPolicy.open(backend, run, episodes)) {
                    expected = trained.evaluate(new Evaluation.Listener() {}, () -> false);
                }
                double[] returns = play(policy, environment, sampled);
                assertThat(Arrays.stream(returns).average().orElseThrow()).isEqualTo(expected.mean());
                assertThat(Arrays.stream(returns).max().orElseThrow()).isEqualTo(expected.max());
                assertThat(Arrays.stream(returns).min().orElseThrow()).isEqualTo(expected.min());
            }
        }
    }

    /** Returns of the first episode of each of some environments that are played together. */
    private static double[] play(Policy policy, String name, boolean sampled) {
        double[] returns = new double[EPISODES];
        boolean[] ended = new boolean[EPISODES];
        try (VectorEnvironment environment = Environments.get(name).create(EPISODES);
                PolicySession session = policy.newSession(EPISODES, SEED)) {
            int size = environment.observationSpace().size();
            StepBatch result = StepBatch.allocate(EPISODES, size);
            float[] observations = new float[EPISODES * size];
            boolean[] allowed = environment.newActionMasks();
            environment.reset(SEED, 0, observations);
            for (int step = 1; step <= 60; step++) {
                Decision decision;
                if (allowed.length > 0) {
                    environment.actionMasks(allowed);
                    decision = sampled ? session.sample(observations, allowed) : session.act(observations, allowed);
                } else {
                    decision = sampled ? session.sample(observations) : session.act(observations);
                }
                environment.step(decision.choices(), decision.numbers(), result);
                System.arraycopy(result.observations(), 0, observations, 0, observations.length);
                float[] rewards = environment.reportedRewards(result);
                for (int i = 0; i < EPISODES; i++) {
                    returns[i] += ended[i] ? 0 : rewards[i];
                    if (result.terminated()[i] || result.truncated()[i]) {
                        ended[i] = true;
                        session.reset(i);
                    }
                }
            }
        }
        return returns;
    }

    @Test
    void aSessionRemembersItsOwnEpisodeAlone() throws IOException {
        Policy policy = Policy.load(run("MemoryChain-v0", PolicyKind.ATTENTION, "layers=2"));
        float[][] shown = new float[40][];
        for (int i = 0; i < shown.length; i++) {
            shown[i] = new float[] {(float) Math.sin(i), (float) Math.cos(3 * i), i % 3 - 1};
        }
        try (PolicySession first = policy.newSession();
                PolicySession second = policy.newSession();
                PolicySession both = policy.newSession(2)) {
            float[] before = first.act(shown[0]).outputs(0);
            for (int i = 1; i < shown.length; i++) {
                first.act(shown[i]);
            }
            assertThat(first.act(shown[0]).outputs(0)).isNotEqualTo(before);
            first.reset();
            assertThat(first.act(shown[0]).outputs(0)).as("after a reset").isEqualTo(before);
            second.reset();
            for (int i = 0; i < shown.length; i++) {
                float[] alone = second.act(shown[i]).outputs(0);
                float[] two = Arrays.copyOf(shown[39 - i], 6);
                System.arraycopy(shown[i], 0, two, 3, 3);
                assertThat(both.act(two).outputs(1)).isEqualTo(alone);
            }
            both.reset(0);
            float[] two = Arrays.copyOf(shown[0], 6);
            System.arraycopy(shown[5], 0, two, 3, 3);
            assertThat(both.act(two).outputs(0))
                    .usingComparatorWithPrecision(1e-5f)
                    .containsExactly(before);
            assertThat(both.act(two).outputs(1))
                    .as("goes on")
                    .isNotEqualTo(policy.newSession().act(shown[5]).outputs(0));
        }
    }

    @Test
    void threadsWithSessionsOfTheirOwnDoNotDisturbEachOther() throws Exception {
        Policy policy = Policy.load(run("MemoryChain-v0", PolicyKind.ATTENTION, "layers=2"));
        Callable<float[]> play = () -> {
            float[] all = new float[300];
            try (PolicySession session = policy.newSession(1, 3)) {
                for (int i = 0; i < all.length; i++) {
                    Decision decision = session.sample(new float[] {i % 5, i % 7, i % 2});
                    all[i] = decision.outputs(0)[0] + 100 * decision.choice();
                }
            }
            return all;
        };
        float[] alone = play.call();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            for (Future<float[]> together :
                    threads.invokeAll(IntStream.range(0, 8).mapToObj(i -> play).toList())) {
                assertThat(together.get()).isEqualTo(alone);
            }
        } finally {
            threads.shutdown();
        }
    }

    @Test
    void twoThreadsAtOnceAreRefused() throws Exception {
        Policy policy = Policy.load(run("CartPole-v1", PolicyKind.MLP, null));
        PolicySession session = policy.newSession();
        CountDownLatch met = new CountDownLatch(1);
        Callable<Void> hammer = () -> {
            while (met.getCount() > 0) {
                try {
                    session.act(new float[4]);
                } catch (IllegalStateException e) {
                    assertThat(e)
                            .hasMessageContaining("in use by")
                            .hasMessageContaining("belongs to one thread at a time")
                            .hasMessageContaining("policy.newSession()");
                    met.countDown();
                }
            }
            return null;
        };
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
            for (Future<Void> thread : threads.invokeAll(List.of(hammer, hammer))) {
                thread.get();
            }
        } finally {
            threads.shutdown();
        }
        assertThat(session.act(new float[4]).probabilities()).as("goes on").hasSize(2);
    }

    @Test
    void aDecisionSaysWhatItRestsOn() throws IOException {
        Policy policy = Policy.load(run("Dispatch-v0", PolicyKind.MLP, null));
        PolicySession session = policy.newSession();
        float[] observation = new float[policy.observationSpace().size()];
        int[] parts = Schema.of(policy.actionSpace()).choices();
        int choices = Arrays.stream(parts).sum();
        boolean[] allowed = new boolean[choices];
        allowed[1] = true;
        Arrays.fill(allowed, parts[0], choices, true);
        Decision decision = session.sample(observation, allowed);
        assertThat(decision.choice()).isEqualTo(1);
        assertThat(decision.probabilities()[1]).isEqualTo(1);
        assertThat(decision.action(0).choice()).isEqualTo(1);
        assertThatThrownBy(() -> session.act(observation, new boolean[choices]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("allows none of the " + parts[0]);
        assertThatThrownBy(() -> session.act(observation, new boolean[1]))
                .hasMessageContaining("masks of " + choices + " are expected for a batch of 1, got 1");
        assertThatThrownBy(() -> session.act(observation))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("act(observations, allowed)");
        session.close();
        session.close();
        assertThatThrownBy(() -> session.act(observation, allowed)).hasMessage("this session is closed");
    }

    @Test
    void whatDoesNotFitIsNamed() throws IOException {
        Policy policy = Policy.load(run("CartPole-v1", PolicyKind.MLP, null));
        PolicySession session = policy.newSession(2);
        assertThatThrownBy(() -> session.act(new float[4]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("has 4 numbers")
                .hasMessageContaining("8 are expected for a batch of 2, got 4");
        float[] bad = new float[8];
        bad[6] = Float.NaN;
        assertThatThrownBy(() -> session.act(bad)).hasMessageContaining("[2] of environment 1 is NaN");
        assertThatThrownBy(() -> session.act(new float[8], new boolean[4])).hasMessageContaining("takes no masks");
        assertThatThrownBy(() -> session.reset(2))
                .hasMessage("environment 2 of a session of 2, which are counted from 0");
        assertThatThrownBy(() -> policy.newSession(0)).hasMessageContaining("at least 1 environment, not 0");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "format_version; 2; is of format 2, and this version of Fovea reads those up to 1",
                "format_version; x; its format_version is x",
                "format; other; is no policy",
                "policy; transformer; unknown policy 'transformer'",
                "config.width; 65; policy.0.bias is [16] and in the network [65]",
                "config.width; 99999999; 'config.width' is 99999999, expected 1 to",
                "config.layers; 2000000000; 'config.layers' is 2000000000, expected 1 to",
                "config.layers; 3; policy.3.bias [2] is missing",
                "config.rollout_steps; -1; 'config.rollout_steps' is -1",
                "config.width; ; its metadata lack 'config.width'",
                "masked; maybe; 'masked' must be true or false",
                "action_space; {\"type\":\"Circle\"}; 'Circle' is no type of space",
                "action_space; {\"type\":\"Discrete\",\"n\":3,\"start\":0}; policy.2.bias is [2] and in the network [3]",
                "observation_space; {\"type\":\"Image\",\"channels\":60000,\"height\":60000,\"width\":60000}; overflow",
                "action_space; {\"type\":\"Discrete\",\"n\":99999999999,\"start\":0}; 'n' must be a whole number below 2^31",
                "observation_space; {\"type\":\"Entities\",\"most\":2147483647,\"features\":4}; more numbers than can be counted",
                "observation_space; [; where an object is expected",
            })
    void aFileThatIsNoPolicyOfThisVersionIsRefused(String key, String value, String problem) throws IOException {
        Path file = export(run("CartPole-v1", PolicyKind.MLP, null));
        SafeTensors.Contents contents = SafeTensors.read(file);
        Map<String, String> metadata = new LinkedHashMap<>(contents.metadata());
        if (value == null) {
            metadata.remove(key);
        } else {
            metadata.put(key, value);
        }
        SafeTensors.write(file, contents.tensors(), metadata);
        assertThatThrownBy(() -> Policy.load(file))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining(problem);
    }

    /** What no network can be, though each of its settings could. */
    @Test
    void settingsThatContradictEachOtherAreRefused() throws IOException {
        Path file = export(run("MemoryChain-v0", PolicyKind.ATTENTION, null));
        SafeTensors.Contents contents = SafeTensors.read(file);
        Map<String, String> metadata = new LinkedHashMap<>(contents.metadata());
        metadata.put("config.heads", "3");
        SafeTensors.write(file, contents.tensors(), metadata);
        assertThatThrownBy(() -> Policy.load(file))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining("heads 3");
    }

    @Test
    void namesOfAHostileFileAreShownWithoutHarm() throws IOException {
        Path file = export(run("CartPole-v1", PolicyKind.MLP, null));
        SafeTensors.Contents contents = SafeTensors.read(file);
        Map<String, TensorData> tensors = new LinkedHashMap<>(contents.tensors());
        tensors.put("\u001b[31m\n" + "x".repeat(100_000), TensorData.ofInts(new int[3], 3));
        SafeTensors.write(file, tensors, contents.metadata());
        assertThatThrownBy(() -> Policy.load(file))
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(500).contains("?[31m?xxx"));
    }

    @Test
    void aDamagedFileIsRefused() throws IOException {
        Path file = export(run("CartPole-v1", PolicyKind.MLP, null));
        byte[] bytes = Files.readAllBytes(file);
        Path cut = Files.write(folder.resolve("cut.safetensors"), Arrays.copyOf(bytes, bytes.length - 5));
        assertThatThrownBy(() -> Policy.load(cut))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining(cut.toString());
        SafeTensors.Contents contents = SafeTensors.read(file);
        Map<String, TensorData> tensors = new LinkedHashMap<>(contents.tensors());
        tensors.put("policy.0.bias", TensorData.ofFloats(new float[16], 16));
        tensors.put("policy.1.bias", TensorData.ofFloats(filled(16, Float.NaN), 16));
        tensors.put("more", TensorData.ofInts(new int[3], 3));
        tensors.remove("value.0.bias");
        SafeTensors.write(file, tensors, contents.metadata());
        assertThatThrownBy(() -> Policy.load(file))
                .hasMessageContaining("policy.1.bias has a number that is NaN or infinite")
                .hasMessageContaining("more [3] is there, and in the network nothing of that name")
                .hasMessageContaining("value.0.bias [16] is missing");
        assertThatThrownBy(() -> Policy.load(folder.resolve("none")))
                .hasMessageContaining("no policy file or run directory");
    }

    private static float[] filled(int size, float number) {
        float[] numbers = new float[size];
        Arrays.fill(numbers, number);
        return numbers;
    }

    @Test
    void whatIsExportedIsWhatWasTrained() throws IOException {
        Path run = run("Pendulum-v1", PolicyKind.ATTENTION, "normalize_observations=true");
        SavedPolicy ofRun = SavedRun.policy(run, false);
        SavedPolicy ofFile = SavedPolicy.read(export(run));
        assertThat(ofFile.tensors()).isEqualTo(ofRun.tensors()).containsKey("observation_moments");
        assertThat(ofFile.metadata()).isEqualTo(ofRun.metadata());
        assertThat(ofFile.spaces()).isEqualTo(Environments.get("Pendulum-v1").spaces());
        assertThat(ofFile.notes()).containsEntry("environment", "Pendulum-v1");
    }
}
