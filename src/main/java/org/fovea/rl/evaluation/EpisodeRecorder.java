// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.env.Action;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRows;
import org.fovea.rl.policy.PolicyRunner;
import org.fovea.rl.rollout.RandomStreams;
import org.fovea.tensor.Tape;
import org.jspecify.annotations.Nullable;

/**
 * Plays one episode to be looked at: the one that an evaluation of one episode with the same seed plays. It is played as always; values,
 * probabilities and attention come from a pass over the whole of it afterwards, which computes the same.
 */
public final class EpisodeRecorder {
    /** Steps after which an episode is cut unless another number is given. */
    public static final int DEFAULT_MAX_STEPS = 2_000;

    private final Agent agent;
    private final VectorEnvironment environment;
    private final Settings settings;
    private final BooleanSupplier stop;
    private final Schema observations;
    private final EpisodeViews views;
    private final List<Episode.View> seen = new ArrayList<>();
    private final List<float[]> observed = new ArrayList<>();
    private final List<float[]> inputs = new ArrayList<>();
    private final List<boolean[]> masks = new ArrayList<>();
    private final List<Action> actions = new ArrayList<>();
    private final List<Float> rewards = new ArrayList<>();
    private Episode.View last = Episode.View.NONE;
    private Episode.End end = Episode.End.CUT;

    /**
     * Which episode.
     *
     * @param seed of the episode
     * @param sampled whether actions are drawn from the policy; else the most likely ones are taken
     * @param maxSteps after which it is cut
     * @param pictureWidth in pixels; 0 for no pictures
     */
    public record Settings(long seed, boolean sampled, int maxSteps, int pictureWidth) {
        /** The same episode with the most likely actions and without pictures. */
        public static Settings of(long seed) {
            return new Settings(seed, false, DEFAULT_MAX_STEPS, 0);
        }

        /** The same with sampled actions. */
        public Settings withSampledActions() {
            return new Settings(seed, true, maxSteps, pictureWidth);
        }

        /** The same with pictures. */
        public Settings withPictures(int width) {
            return new Settings(seed, sampled, maxSteps, width);
        }
    }

    /** Whether a policy in these spaces attends to entities, whatever it is made of. */
    public static boolean hasEntities(EnvironmentSpec.Spaces spaces) {
        return Schema.of(spaces.observations()).leaves().stream()
                .anyMatch(leaf -> leaf.space() instanceof Space.Entities);
    }

    private EpisodeRecorder(Agent agent, VectorEnvironment environment, Settings settings, BooleanSupplier stop) {
        if (environment.count() != 1) {
            throw new IllegalArgumentException("one environment is recorded, not " + environment.count());
        }
        this.agent = agent;
        this.environment = environment;
        this.settings = settings;
        this.stop = stop;
        this.observations = Schema.of(environment.observationSpace());
        this.views = new EpisodeViews(environment.drawable(0), environment.observationSpace(), settings.pictureWidth());
    }

    /**
     * Plays an episode.
     *
     * @param environment a batch of one; it is reset
     * @param segmentSteps steps after which the policy's memory advances, as in training
     */
    public static Episode record(Agent agent, VectorEnvironment environment, int segmentSteps, Settings settings) {
        return record(agent, environment, segmentSteps, settings, () -> false);
    }

    /**
     * The same.
     *
     * @param stop asked before each step but the first; where it is true the episode is cut
     */
    public static Episode record(
            Agent agent, VectorEnvironment environment, int segmentSteps, Settings settings, BooleanSupplier stop) {
        EpisodeRecorder recorder = new EpisodeRecorder(agent, environment, settings, stop);
        environment.onEpisodeEnd(i -> recorder.lookAtEnd());
        try {
            recorder.play(segmentSteps);
        } finally {
            environment.onEpisodeEnd(null);
        }
        return recorder.replay();
    }

    private void lookAtEnd() {
        last = views.take(actions.get(actions.size() - 1), new float[0]);
    }

    private void play(int segmentSteps) {
        float[] observation = new float[environment.observationSpace().size()];
        StepBatch result = StepBatch.allocate(1, observation.length);
        boolean[] allowed = environment.newActionMasks();
        try (ActorCritic.Context context = agent.network().context(1, segmentSteps, 0);
                PolicyRunner policy = new PolicyRunner(
                        agent, context, 0, 1, null, 1, settings.seed(), RandomStreams.EACH_STEP, false)) {
            PolicyRows row = policy.rows(0, 1);
            environment.reset(settings.seed(), 0, observation);
            boolean goesOn = true;
            for (int step = 0; goesOn && step < settings.maxSteps() && (step == 0 || !stop.getAsBoolean()); step++) {
                boolean begins = step % segmentSteps == 0;
                if (begins && step > 0) {
                    policy.endSegment();
                    context.advance();
                }
                if (begins) {
                    policy.beginSegment(new int[] {step}, RandomStreams.actions(step));
                }
                goesOn = step(policy, row, observation, begins ? null : result, result, allowed);
            }
            if (goesOn) {
                last = views.take(actions.get(actions.size() - 1), observation);
            }
        }
    }

    /** @param before outcome of the step before, null in the first of a segment */
    private boolean step(
            PolicyRunner policy,
            PolicyRows row,
            float[] observation,
            @Nullable StepBatch before,
            StepBatch result,
            boolean[] allowed) {
        if (allowed.length > 0) {
            environment.actionMasks(allowed);
        }
        seen.add(views.take(actions.isEmpty() ? null : actions.get(actions.size() - 1), observation));
        observed.add(observation.clone());
        masks.add(allowed.clone());
        if (before == null) {
            row.show(observation, allowed);
        } else {
            row.show(observation, before, allowed);
        }
        if (settings.sampled()) {
            row.sample();
        } else {
            row.chooseBest();
        }
        float[] input = new float[agent.encoder().size()];
        policy.inputs(input, 0);
        inputs.add(input);
        actions.add(
                agent.bounds() == null
                        ? Action.ofChoices(policy.choices().clone())
                        : Action.of(policy.boundedValues().clone()));
        environment.step(policy.choices(), policy.boundedValues(), result);
        rewards.add(environment.reportedRewards(result)[0]);
        System.arraycopy(result.observations(), 0, observation, 0, observation.length);
        if (result.terminated()[0]) {
            end = Episode.End.TERMINATED;
        } else if (result.truncated()[0]) {
            end = Episode.End.TRUNCATED;
        }
        return end == Episode.End.CUT;
    }

    private Episode replay() {
        int steps = inputs.size();
        int size = agent.encoder().size();
        float[] all = new float[Math.multiplyExact(steps, size)];
        for (int step = 0; step < steps; step++) {
            System.arraycopy(inputs.get(step), 0, all, step * size, size);
        }
        Backend backend = agent.backend();
        RecordedAttention attention = new RecordedAttention(backend, entityCounts());
        float[] values = new float[steps];
        float[] distribution =
                new float[Math.multiplyExact(steps, agent.distribution().parameterCount())];
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs = agent.network().replay(tape.constant(all, steps, size), attention);
            backend.memory().download(outputs.values().array(), values, 0);
            backend.memory()
                    .download(agent.distribution().parameters(outputs.policy()).array(), distribution, 0);
        }
        StepDistributions distributions =
                new StepDistributions(agent.distribution(), environment.actionSpace(), distribution);
        List<Episode.Step> recorded = new ArrayList<>();
        for (int step = 0; step < steps; step++) {
            recorded.add(new Episode.Step(
                    seen.get(step),
                    observed.get(step),
                    actions.get(step),
                    rewards.get(step),
                    values[step],
                    distributions.probabilities(step, masks.get(step)),
                    distributions.means(step),
                    distributions.deviations(step)));
        }
        List<AttentionMap> maps = new ArrayList<>(attention.maps());
        maps.addAll(distributions.choicesOfEntities(recorded));
        return new Episode(
                settings.seed(),
                settings.sampled(),
                agent.spaces(),
                List.copyOf(recorded),
                last,
                end,
                List.copyOf(maps),
                views.failure());
    }

    private RecordedAttention.Counts entityCounts() {
        Map<String, Integer> places = new HashMap<>();
        for (Schema.Leaf leaf : observations.leaves()) {
            if (leaf.space() instanceof Space.Entities) {
                places.put(leaf.path(), leaf.offset() + leaf.space().size() - 1);
            }
        }
        return (path, step) -> (int) observed.get(step)[Objects.requireNonNull(places.get(path))];
    }
}
