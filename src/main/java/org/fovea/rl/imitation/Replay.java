// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.env.StepBatch;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRows;
import org.fovea.rl.policy.PolicyRunner;
import org.fovea.rl.policy.StepRecorder;
import org.fovea.rl.rollout.Rollout;
import org.fovea.tensor.Tensor;

/**
 * Lets an agent go through recorded episodes as if it played them: some lanes side by side, each taking the next episode when its last has
 * ended, segment by segment. What the agent sees on the way is kept as a {@link Rollout} has it, the returns that were reached in {@link
 * Rollout#returns}, and in {@link Rollout#advantages} a weight: 1 for a step, 0 where a lane has nothing left to play.
 */
final class Replay implements StepRecorder, AutoCloseable {
    private final Backend backend;
    private final Agent agent;
    private final int lanes;
    private final int steps;
    private final int size;
    private final ActorCritic.Context context;
    private final PolicyRunner runner;
    private final PolicyRows rows;
    private final Rollout rollout;
    private final Demonstration[] playing;
    private final int[] at;
    private final float[] observations;
    private final boolean[] allowed;
    private final int[] choices;
    private final float[] numbers;
    private final StepBatch outcome;
    private final float[] weights;
    private final float[] targets;

    /** What was done of each row of the rollout, [lanes, steps, action size]. */
    private final int[] takenChoices;

    private final float[] takenNumbers;
    private List<Demonstration> queue = List.of();
    private int next;

    /**
     * An episode in the terms of the policy.
     *
     * @param actions as the policy draws them, before they are brought within bounds
     * @param returns discounted, from each step on; zeros where there are no rewards
     */
    record Demonstration(Recording.Episode episode, float[] actions, float[] returns, int steps) {}

    /** @param steps of a segment */
    Replay(Agent agent, int lanes, int steps, int burnIn) {
        this.backend = agent.backend();
        this.agent = agent;
        this.lanes = lanes;
        this.steps = steps;
        this.size = agent.spaces().observations().size();
        this.context = agent.network().context(lanes, steps, burnIn);
        this.runner = new PolicyRunner(agent, context, 0, lanes, this, 1, 0, 1, false);
        this.rows = runner.rows(0, lanes);
        int actionSize = agent.distribution().actionSize();
        boolean choosing = agent.bounds() == null;
        this.rollout = allocate();
        this.playing = new Demonstration[lanes];
        this.at = new int[lanes];
        this.observations = new float[lanes * size];
        Recording.Actions actions = new Recording.Actions(agent.spaces());
        this.allowed = new boolean[agent.spaces().masked() ? lanes * actions.choices : 0];
        this.choices = new int[choosing ? lanes * actionSize : 0];
        this.numbers = new float[choosing ? 0 : lanes * actionSize];
        this.outcome = StepBatch.allocate(lanes, size);
        this.weights = new float[lanes * steps];
        this.targets = new float[lanes * steps];
        this.takenChoices = new int[choices.length * steps];
        this.takenNumbers = new float[numbers.length * steps];
    }

    private Rollout allocate() {
        int count = lanes * steps;
        int masks = agent.distribution().masked() ? count * agent.distribution().outputs() : 0;
        return new Rollout(
                lanes,
                steps,
                agent.encoder().size(),
                agent.distribution().actionSize(),
                floats((long) count * agent.encoder().size()),
                backend.memory()
                        .allocate(
                                agent.distribution().actionType(),
                                (long) count * agent.distribution().actionSize()),
                floats(masks),
                floats(0),
                floats(0),
                floats(0),
                floats(0),
                floats(0),
                floats(count),
                floats(count));
    }

    private DeviceArray floats(long length) {
        return backend.memory().allocate(backend.memory().floatType(), length);
    }

    Rollout rollout() {
        return rollout;
    }

    ActorCritic.Context context() {
        return context;
    }

    /** 1 for each row of the rollout that is a step, else 0. */
    float[] weights() {
        return weights;
    }

    /** [lanes, steps, parts], the choices of the rollout. */
    int[] takenChoices() {
        return takenChoices;
    }

    /** [lanes, steps, size], the numbers of the rollout. */
    float[] takenNumbers() {
        return takenNumbers;
    }

    /** Begins to go through some episodes, in this order. */
    void begin(List<Demonstration> episodes) {
        queue = episodes;
        next = 0;
        Arrays.fill(playing, null);
        for (int lane = 0; lane < lanes; lane++) {
            takeNext(lane);
        }
    }

    private void takeNext(int lane) {
        playing[lane] = next < queue.size() ? queue.get(next++) : null;
        at[lane] = 0;
    }

    /** Goes through the next segment; whether there was one. */
    boolean playSegment() {
        if (Arrays.stream(playing).allMatch(demonstration -> demonstration == null)) {
            return false;
        }
        // What a lane without an episode is shown has no weight.
        runner.beginSegment(at, 0);
        for (int step = 0; step < steps; step++) {
            fill(step);
            if (step == 0) {
                rows.show(observations, allowed);
            } else {
                rows.show(observations, outcome, allowed);
            }
            rows.follow(choices, numbers);
            advance();
        }
        runner.endSegment();
        backend.memory().upload(weights, 0, rollout.advantages());
        backend.memory().upload(targets, 0, rollout.returns());
        return true;
    }

    /** Makes the segment what is remembered of it in the next, once it was learned from. */
    void advanceMemory() {
        context.advance();
    }

    private void fill(int step) {
        int actionSize = agent.distribution().actionSize();
        for (int lane = 0; lane < lanes; lane++) {
            Demonstration demonstration = playing[lane];
            int row = lane * steps + step;
            weights[row] = demonstration == null ? 0 : 1;
            targets[row] = demonstration == null ? 0 : demonstration.returns[at[lane]];
            int width = allowed.length / lanes;
            if (demonstration == null) {
                Arrays.fill(observations, lane * size, (lane + 1) * size, 0);
                Arrays.fill(allowed, lane * width, (lane + 1) * width, true);
                continue;
            }
            Recording.Episode episode = demonstration.episode;
            System.arraycopy(episode.observations(), at[lane] * size, observations, lane * size, size);
            boolean[] masks = episode.masks();
            if (masks == null) {
                Arrays.fill(allowed, lane * width, (lane + 1) * width, true);
            } else {
                System.arraycopy(masks, at[lane] * width, allowed, lane * width, width);
            }
            for (int part = 0; part < actionSize; part++) {
                int from = at[lane] * actionSize + part;
                if (choices.length > 0) {
                    choices[lane * actionSize + part] = episode.choices()[from];
                    takenChoices[row * actionSize + part] = episode.choices()[from];
                } else {
                    numbers[lane * actionSize + part] = demonstration.actions[from];
                    takenNumbers[row * actionSize + part] = demonstration.actions[from];
                }
            }
        }
    }

    private void advance() {
        for (int lane = 0; lane < lanes; lane++) {
            Demonstration demonstration = playing[lane];
            at[lane]++;
            boolean ended = demonstration != null && at[lane] == demonstration.steps;
            outcome.terminated()[lane] = ended;
            if (ended) {
                takeNext(lane);
            }
        }
    }

    @Override
    public void acted(int from, int to, DeviceArray positions, Acted acted) {
        List<TableRows> tables = new ArrayList<>();
        tables.add(new TableRows(rollout.observations(), agent.encoder().size(), acted.tokens()));
        tables.add(new TableRows(rollout.actions(), agent.distribution().actionSize(), acted.actions()));
        if (acted.masks() != null) {
            tables.add(new TableRows(rollout.masks(), agent.distribution().outputs(), acted.masks()));
        }
        backend.math().placeRows(RowPlaces.inEach(positions, -context.origin(), steps), tables);
    }

    // Nothing else that a step brings is learned from.

    @Override
    public void outcome(
            int from, int to, DeviceArray positions, DeviceArray rewards, DeviceArray ended, DeviceArray returns) {}

    @Override
    public void continued(DeviceArray environments, DeviceArray positions, DeviceArray values) {}

    @Override
    public void following(Tensor values) {}

    @Override
    public void close() {
        runner.close();
        context.close();
        rollout.close();
    }
}
