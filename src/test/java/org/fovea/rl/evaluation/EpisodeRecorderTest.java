// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.EnvironmentThreads;
import org.fovea.env.Environments;
import org.fovea.env.Schema;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.EnvironmentPlace;
import org.fovea.rl.rollout.EnvironmentSet;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.Parameter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is recorded of an episode is what was played, and what the policy attended to is what plain loops say. */
class EpisodeRecorderTest {
    private static final int SEGMENT = 7;
    private Backend backend;

    @BeforeEach
    void open() {
        backend = Runs.cpu(1);
    }

    @AfterEach
    void close() {
        backend.close();
    }

    private static RunSpec spec(String environment, PolicyKind policy, Map<String, String> more) {
        Map<String, String> settings = new HashMap<>(Map.of("rollout_steps", "" + SEGMENT));
        settings.putAll(more);
        return Runs.small(environment, policy, 1, settings);
    }

    private interface Use {
        void accept(Agent agent, EnvironmentSet environments);
    }

    private void with(RunSpec spec, Use use) {
        EnvironmentSpec kind = Environments.get(spec.environment());
        try (EnvironmentThreads threads = new EnvironmentThreads(1);
                EnvironmentSet one = EnvironmentSet.create(backend, kind, 1, threads, EnvironmentPlace.HOST);
                Agent agent = Agent.create(
                        backend, one.spaces(), spec.policy(), spec.config().network(), false, false, spec.seed())) {
            // Initial policies are nearly uniform, so that nothing would tell one choice from another.
            sharpen(agent);
            use.accept(agent, one);
        }
    }

    private void sharpen(Agent agent) {
        for (Parameter parameter : agent.parameters().all()) {
            if (parameter.name().matches("policy(\\.\\w+)?\\.weight")) {
                float[] values = values(parameter);
                for (int i = 0; i < values.length; i++) {
                    values[i] *= 100;
                }
                backend.memory().upload(values, 0, parameter.value());
            }
        }
    }

    private float[] values(Parameter parameter) {
        float[] values = new float[(int) parameter.value().length()];
        backend.memory().download(parameter.value(), values, 0);
        return values;
    }

    private static Episode record(Agent agent, EnvironmentSet environments, EpisodeRecorder.Settings settings) {
        return EpisodeRecorder.record(agent, environments.batches().get(0), SEGMENT, settings);
    }

    @ParameterizedTest
    @CsvSource({
        "ProofOfMemory-v0, attention, false",
        "popgym-RepeatPreviousEasy-v0, attention, true",
        "popgym-RepeatPreviousEasy-v0, gru, false",
        "Dispatch-v0, attention, true",
        "EntityGrid-v0, mlp, true",
        "Pendulum-v1, attention, true",
        "CartPole-v1+frame_stack=2, mlp, false",
    })
    void isTheEpisodeThatAnEvaluationPlays(String environment, String policy, boolean sampled) {
        RunSpec spec = spec(environment, PolicyKind.of(policy), Map.of());
        with(spec, (agent, environments) -> {
            EvaluationSettings one = new EvaluationSettings(1, 5, 10_000, Double.POSITIVE_INFINITY, sampled);
            EvaluationResult played =
                    Evaluation.play(agent, environments, 1, SEGMENT, one, new Evaluation.Listener() {}, () -> false);
            Episode episode = record(
                    agent,
                    environments,
                    new EpisodeRecorder.Settings(5, sampled, EpisodeRecorder.DEFAULT_MAX_STEPS, 0));

            assertThat(episode.steps()).hasSize((int) played.steps());
            assertThat(episode.totalReward()).isCloseTo(played.mean(), within(1e-6 * (1 + Math.abs(played.mean()))));
            assertThat(episode.end()).isNotEqualTo(Episode.End.CUT);
        });
    }

    /** The pass afterwards gives the probabilities by which the policy acted: greedy actions are the most probable ones. */
    @ParameterizedTest
    @CsvSource({
        "popgym-RepeatPreviousEasy-v0, attention, auto",
        "popgym-RepeatPreviousEasy-v0, attention, separate",
        "popgym-RepeatPreviousEasy-v0, gru, auto",
        "popgym-MultiarmedBanditEasy-v0, attention, auto",
        "Dispatch-v0, attention, auto",
        "Dispatch-v0, mlp, auto",
    })
    void mostProbableChoicesAreTheGreedyOnes(String environment, String policy, String critic) {
        with(spec(environment, PolicyKind.of(policy), Map.of("critic", critic)), (agent, environments) -> {
            Episode episode = record(agent, environments, EpisodeRecorder.Settings.of(3));
            int[] choices = Schema.of(episode.spaces().actions()).choices();
            for (Episode.Step step : episode.steps()) {
                int first = 0;
                for (int part = 0; part < choices.length; part++) {
                    float[] some = Arrays.copyOfRange(step.probabilities(), first, first + choices[part]);
                    float chosen = some[step.action().choice(part)];
                    float sum = 0;
                    for (float probability : some) {
                        assertThat(probability).isLessThanOrEqualTo(chosen + 1e-4f);
                        sum += probability;
                    }
                    assertThat(sum).isCloseTo(1, within(1e-5f));
                    first += choices[part];
                }
            }
        });
    }

    /** Weights of the first layer by plain loops in float64: normalise, project, turn by position, compare, softmax. */
    @Test
    void weightsAreThoseOfPlainLoops() {
        RunSpec spec = spec("popgym-RepeatPreviousEasy-v0", PolicyKind.ATTENTION, Map.of("layers", "2", "window", "9"));
        with(spec, (agent, environments) -> {
            Episode episode = record(agent, environments, EpisodeRecorder.Settings.of(11));
            int steps = episode.steps().size();
            assertThat(episode.attention()).hasSize(2);
            AttentionMap map = episode.attention().get(0);
            assertThat(map.over()).isEqualTo(AttentionMap.Over.STEPS);
            assertThat(List.of(map.steps(), map.heads(), map.queries(), map.keys()))
                    .containsExactly(steps, 2, 1, 9);

            double[][] x = new double[steps][];
            for (int step = 0; step < steps; step++) {
                x[step] = linear(agent, "embedding", token(episode, step));
                normalize(agent, "block0.attention.norm", x[step]);
            }
            for (int head = 0; head < 2; head++) {
                for (int step = 0; step < steps; step++) {
                    double[] expected = weights(agent, x, step, head, 8, Math.min(9, step + 1));
                    for (int age = 0; age < 9; age++) {
                        double weight = age < expected.length ? expected[age] : 0;
                        assertThat((double) map.weight(step, head, 0, age))
                                .as("step %d head %d age %d", step, head, age)
                                .isCloseTo(weight, within(1e-5));
                    }
                }
            }
        });
    }

    /** Suit, previous action, start flag: what the policy is shown, unless observations are normalised. */
    private static double[] token(Episode episode, int step) {
        double[] token = new double[9];
        for (int i = 0; i < 4; i++) {
            token[i] = episode.steps().get(step).observation()[i];
        }
        if (step > 0) {
            token[4 + episode.steps().get(step - 1).action().choice()] = 1;
        } else {
            token[8] = 1;
        }
        return token;
    }

    private double[] weights(Agent agent, double[][] x, int step, int head, int dim, int visible) {
        double[] query = turned(linear(agent, "block0.attention.query", x[step]), head, dim, step);
        double[] weights = new double[visible];
        double sum = 0;
        for (int age = 0; age < visible; age++) {
            double[] key = turned(linear(agent, "block0.attention.key", x[step - age]), head, dim, step - age);
            double product = 0;
            for (int i = 0; i < dim; i++) {
                product += query[i] * key[i];
            }
            weights[age] = Math.exp(product / Math.sqrt(dim));
            sum += weights[age];
        }
        for (int age = 0; age < visible; age++) {
            weights[age] /= sum;
        }
        return weights;
    }

    private static double[] turned(double[] all, int head, int dim, int position) {
        double[] turned = new double[dim];
        for (int i = 0; i < dim / 2; i++) {
            double angle = position * Math.pow(10_000, -2.0 * i / dim);
            double first = all[head * dim + i];
            double second = all[head * dim + dim / 2 + i];
            turned[i] = first * Math.cos(angle) - second * Math.sin(angle);
            turned[dim / 2 + i] = first * Math.sin(angle) + second * Math.cos(angle);
        }
        return turned;
    }

    private double[] linear(Agent agent, String name, double[] x) {
        float[] weight = parameter(agent, name + ".weight");
        float[] bias = parameter(agent, name + ".bias");
        double[] y = new double[bias.length];
        for (int j = 0; j < y.length; j++) {
            y[j] = bias[j];
            for (int i = 0; i < x.length; i++) {
                y[j] += x[i] * weight[i * y.length + j];
            }
        }
        return y;
    }

    private void normalize(Agent agent, String name, double[] x) {
        float[] gain = parameter(agent, name + ".gain");
        float[] bias = parameter(agent, name + ".bias");
        double mean = Arrays.stream(x).average().orElseThrow();
        double variance =
                Arrays.stream(x).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
        for (int i = 0; i < x.length; i++) {
            x[i] = (x[i] - mean) / Math.sqrt(variance + 1e-5) * gain[i] + bias[i];
        }
    }

    private float[] parameter(Agent agent, String name) {
        return values(agent.parameters().all().stream()
                .filter(parameter -> parameter.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not among "
                        + agent.parameters().all().stream().map(Parameter::name).toList())));
    }

    @Test
    void entitiesAttendToThoseThatAreThere() {
        with(spec("EntityGrid-v0", PolicyKind.MLP, Map.of()), (agent, environments) -> {
            Episode episode = record(
                    agent,
                    environments,
                    EpisodeRecorder.Settings.of(2).withSampledActions().withPictures(240));
            AttentionMap map = episode.attention().get(0);
            assertThat(map.over()).isEqualTo(AttentionMap.Over.ENTITIES);
            for (int step = 0; step < map.steps(); step++) {
                float[] observation = episode.steps().get(step).observation();
                int there = (int) observation[observation.length - 1];
                for (int query = 0; query < there; query++) {
                    float sum = 0;
                    for (int key = 0; key < map.keys(); key++) {
                        float weight = map.weight(step, 1, query, key);
                        assertThat(weight).isGreaterThanOrEqualTo(0);
                        assertThat(key >= there && weight > 0).isFalse();
                        sum += weight;
                    }
                    assertThat(sum).isCloseTo(1, within(1e-5f));
                }
                Episode.Entities entities =
                        episode.steps().get(step).view().entities().get(0);
                assertThat(entities.places()).hasSize(there).doesNotContainNull();
            }
        });
    }

    /** Each step is seen as it was acted on, and what follows the last one before the environment begins anew. */
    @Test
    void picturesAndTexts() {
        with(spec("ProofOfMemory-v0", PolicyKind.ATTENTION, Map.of()), (agent, environments) -> {
            Episode episode =
                    record(agent, environments, EpisodeRecorder.Settings.of(4).withPictures(300));
            assertThat(episode.drawingFailure()).isEmpty();
            assertThat(episode.steps().get(0).view().text()).contains("sees which end is good");
            assertThat(episode.steps().get(2).view().text()).contains("look alike");
            int size = 11;
            for (int i = 0; i < episode.steps().size(); i++) {
                Episode.Step step = episode.steps().get(i);
                int position = Math.round(step.observation()[1] * 5) + 5;
                String line = step.view().text().split("\n")[1];
                assertThat(line.split(" ")).hasSize(size);
                assertThat(line.split(" ")[position]).isEqualTo("@");
                double middle = step.view().place().getCenterX();
                assertThat(middle).isCloseTo(0.5 + (position - 5) / 11.0 * 456 / 480, within(0.01));
            }
            boolean atEnd = episode.end() == Episode.End.TERMINATED;
            String last = episode.last().text().split("\n")[1];
            assertThat(last.startsWith("@") || last.endsWith("@")).isEqualTo(atEnd);
            try {
                assertThat(ImageIO.read(new ByteArrayInputStream(episode.last().picture()))
                                .getWidth())
                        .isEqualTo(300);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
    }
}
