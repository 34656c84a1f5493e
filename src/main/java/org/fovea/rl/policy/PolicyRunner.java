// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * Applies a policy to {@code count} environments at once. Results stay in arrays of this object until the next
 * call.
 */
public final class PolicyRunner {
    private final Backend backend;
    private final Agent agent;
    private final ActorCritic.Actor actor;
    private final int first;
    private final int count;
    private final float[] tokens;
    private final float[] asideTokens;
    private final int[] choices;
    private final float[] actions;
    private final float[] boundedActions;
    private final float[] logProbs;
    private final float[] values;

    /** What is added to the policy's outputs, [count, outputs]; empty where nothing is forbidden. */
    private final float[] masks;

    /** @param first index of environment 0 among those of the run, which decides what it draws */
    public PolicyRunner(Agent agent, ActorCritic.Context context, int first, int count) {
        this.backend = agent.backend();
        this.agent = agent;
        this.actor = context.actor(first, count);
        this.first = first;
        this.count = count;
        ActionDistribution distribution = agent.distribution();
        int numbers = count * distribution.actionSize();
        boolean choosing = agent.bounds() == null;
        this.tokens = new float[count * agent.encoder().size()];
        this.asideTokens = new float[places() * agent.encoder().size()];
        this.choices = new int[choosing ? numbers : 0];
        this.actions = new float[choosing ? 0 : numbers];
        this.boundedActions = new float[actions.length];
        this.masks = new float[distribution.masked() ? count * distribution.outputs() : 0];
        if (distribution.masked()) {
            boolean[] all = new boolean[masks.length];
            Arrays.fill(all, true);
            distribution.writeMasks(all, masks);
        }
        this.logProbs = new float[count];
        this.values = new float[count];
    }

    public void beginSegment(int[] episodeSteps) {
        actor.beginSegment(episodeSteps);
    }

    public void endSegment() {
        actor.endSegment();
    }

    /** Encodes the observations to act on next, of all environments; the actions held are those that led to them. */
    public void show(float[] observations, int[] episodeSteps) {
        show(observations, episodeSteps, 0, count);
    }

    /** The same of environments {@code [from, to)}. */
    public void show(float[] observations, int[] episodeSteps, int from, int to) {
        int size = agent.encoder().size();
        for (int i = from; i < to; i++) {
            agent.encoder()
                    .encode(observations, i, agent.observations(), choices, actions, episodeSteps[i], tokens, i * size);
        }
    }

    /**
     * Says which choices are allowed of what is acted on next.
     *
     * @param allowed [count, sum of the numbers of choices]
     */
    public void allow(boolean[] allowed) {
        agent.distribution().writeMasks(allowed, masks);
    }

    /** Draws actions of all environments for step {@code step} of the segment. */
    public void sample(int step, int[] episodeSteps, long seed, long stream) {
        sample(step, episodeSteps, seed, stream, 0, count);
    }

    /**
     * The same for environments {@code [from, to)}, while the others stay at another step. What is drawn is the same: all are
     * computed, as a product of other shapes might round otherwise.
     */
    public void sample(int step, int[] episodeSteps, long seed, long stream, int from, int to) {
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs = actor.act(shown(tape), step, episodeSteps, from, to);
            DeviceArray drawn = newActions(tape);
            DeviceArray drawnLogProbs = tape.allocate(backend.memory().floatType(), count);
            agent.distribution()
                    .sample(
                            backend,
                            restricted(tape, outputs.policy()),
                            new RandomRange(seed, stream, first),
                            drawn,
                            drawnLogProbs);
            keep(drawn, from, to);
            backend.memory().download(drawnLogProbs.slice(from, to - from), logProbs, from);
            backend.memory().download(outputs.values().array().slice(from, to - from), values, from);
        }
    }

    /** Takes the most likely actions for step {@code step} of the segment. */
    public void chooseBest(int step, int[] episodeSteps) {
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs = actor.act(shown(tape), step, episodeSteps, 0, count);
            DeviceArray best = newActions(tape);
            agent.distribution().mostLikely(backend, restricted(tape, outputs.policy()), best);
            keep(best, 0, count);
        }
    }

    /** How many steps can be {@linkplain #setAside set aside}. */
    public int places() {
        return Trunk.Player.places(count);
    }

    /**
     * Sets aside what is shown in some environments, as if it were step {@code step} of the segment, in places that follow each
     * other: {@link #recall} gives their values. Nothing else is remembered of it.
     *
     * @param environments the first {@code number} of the array
     * @param at the first place
     */
    public void setAside(int[] environments, int number, int step, int[] episodeSteps, int at) {
        actor.setAside(environments, number, step, episodeSteps, at);
        int size = agent.encoder().size();
        for (int i = 0; i < number; i++) {
            System.arraycopy(tokens, environments[i] * size, asideTokens, (at + i) * size, size);
        }
    }

    /**
     * Values of what was set aside last in each place. All places are computed, so that no value depends on how many are in use.
     *
     * @param recalledValues written, [places]
     */
    public void recall(float[] recalledValues) {
        try (Tape tape = Tape.inference(backend)) {
            Tensor observations =
                    tape.constant(asideTokens, places(), agent.encoder().size());
            backend.memory().download(actor.recall(observations).values().array(), recalledValues, 0);
        }
    }

    /** Values of what is shown, were it step {@code step} of the segment; nothing is remembered of it. */
    public void peek(int step, int[] episodeSteps, float[] peekedValues) {
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs = actor.peek(shown(tape), step, episodeSteps);
            backend.memory().download(outputs.values().array(), peekedValues, 0);
        }
    }

    private Tensor shown(Tape tape) {
        return tape.constant(tokens, count, agent.encoder().size());
    }

    private Tensor restricted(Tape tape, Tensor outputs) {
        ActionDistribution distribution = agent.distribution();
        return distribution.masked()
                ? distribution.restrict(outputs, tape.constant(masks, count, distribution.outputs()))
                : outputs;
    }

    private DeviceArray newActions(Tape tape) {
        ActionDistribution distribution = agent.distribution();
        return tape.allocate(distribution.actionType(), (long) count * distribution.actionSize());
    }

    private void keep(DeviceArray drawn, int from, int to) {
        ActionBounds bounds = agent.bounds();
        int size = agent.distribution().actionSize();
        DeviceArray rows = drawn.slice((long) from * size, (long) (to - from) * size);
        if (bounds == null) {
            backend.memory().download(rows, choices, from * size);
        } else {
            backend.memory().download(rows, actions, from * size);
            bounds.apply(actions, boundedActions);
        }
    }

    /** [count, size] as the network is shown them. */
    public float[] tokens() {
        return tokens;
    }

    /** What was added to the policy's outputs, [count, outputs]; empty where nothing is forbidden. */
    public float[] masks() {
        return masks;
    }

    /** [count, parts of an action], if choices are made. */
    public int[] choices() {
        return choices;
    }

    /** [count, action size] as drawn, if vectors are given. */
    public float[] actions() {
        return actions;
    }

    /** {@link #actions} as environments are given them. */
    public float[] boundedActions() {
        return boundedActions;
    }

    /** [count] of the actions drawn. */
    public float[] logProbs() {
        return logProbs;
    }

    /** [count] of the observations acted on. */
    public float[] values() {
        return values;
    }
}
