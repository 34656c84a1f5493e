// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Base of environments that are written for many agents, the built-in ones among them: autoreset, time limits, randomness,
 * saving. An environment is then one short class: its state, kept as one array per variable, the start of an episode ({@link
 * #begin}) and one loop over all environments ({@link #advance}).
 *
 * <p>State arrays come from {@link #newDoubles}, {@link #newInts} and {@link #newBytes}, so that they are saved and
 * restored without further code. What follows from a state array alone need not be one.
 */
public abstract class BatchedEnvironment implements VectorEnvironment {
    /** Of episodes that end by themselves. */
    protected static final int NO_TIME_LIMIT = Integer.MAX_VALUE;

    private final int count;
    private final Space observationSpace;
    private final Space actionSpace;
    private final int observationSize;
    private final int[] choicesOfAction;
    private final int timeLimit;

    /** Everything that the future depends on, in order of creation: what is common to all environments goes ahead. */
    private final List<StateVariable> state = new ArrayList<>();

    /** Steps taken in the current episode, [count]; to be read only. */
    protected final int[] elapsed;

    private final long[] episode;
    private final long[] random;
    private final int ownVariables;
    private long seed;
    private int firstIndex;
    private boolean started;

    /** Null while nobody looks. */
    private @Nullable IntConsumer episodeEnd;

    /** Of the environment, with its parameters: what is saved of one kind is not restored into another. */
    private String name = getClass().getSimpleName();

    /** @param timeLimit steps after which an episode is truncated, or {@link #NO_TIME_LIMIT} */
    protected BatchedEnvironment(int count, Space observationSpace, Space actionSpace, int timeLimit) {
        if (count < 1) {
            throw new IllegalArgumentException("a batch needs at least 1 environment, not " + count);
        }
        this.count = count;
        this.observationSpace = observationSpace;
        this.actionSpace = actionSpace;
        this.observationSize = observationSpace.size();
        this.choicesOfAction = Schema.of(actionSpace).choices();
        this.timeLimit = timeLimit;
        elapsed = newInts();
        episode = track(new long[count]);
        random = track(new long[count]);
        ownVariables = state.size();
    }

    /** The one that a batch is, checked or not; null if it is none. */
    static @Nullable BatchedEnvironment within(VectorEnvironment batch) {
        VectorEnvironment inner = batch instanceof CheckedBatch checked ? checked.unchecked() : batch;
        return inner instanceof BatchedEnvironment found ? found : null;
    }

    /** What the environment is registered as, with its parameters. */
    final String name() {
        return name;
    }

    /** Says what the environment is registered as. */
    final void setName(String name) {
        this.name = name;
    }

    /**
     * Starts the episode of environment {@code i}, whose random state is fresh.
     *
     * @param observations [count, size]; row i is written
     */
    protected abstract void begin(int i, float[] observations);

    /**
     * Moves every environment by one step and writes observations, rewards and terminated. {@link #elapsed} does not yet
     * count this step.
     */
    protected abstract void advance(int[] choices, float[] values, StepBatch result);

    /**
     * The kernel that plays it on a device; null if there is none. It has the numbers that are state variables in a struct, in
     * the order in which they are made here, and tables beside it.
     */
    protected @Nullable DeviceForm deviceForm() {
        return null;
    }

    /** A state variable, [count]. */
    protected final double[] newDoubles() {
        return track(new double[count]);
    }

    /** A state variable, [count]. */
    protected final int[] newInts() {
        return track(new int[count]);
    }

    /** A state variable that is a table, [count, width]. */
    protected final int[] newInts(int width) {
        int[] array = new int[count * width];
        state.add(new StateVariable(array, width, true));
        return array;
    }

    /** A state variable that is a table, [count, width]. */
    protected final byte[] newBytes(int width) {
        byte[] array = new byte[count * width];
        state.add(new StateVariable(array, width, true));
        return array;
    }

    private <T> T track(T array) {
        state.add(new StateVariable(array, 1, false));
        return array;
    }

    /** A random number from [low, high), 53 bits. */
    protected final double uniform(int i, double low, double high) {
        return low + (high - low) * ((nextBits(i) >>> 11) * 0x1p-53);
    }

    /** A random number from 0 to bound - 1; its bias is below 2^-32 bound. */
    protected final int below(int i, int bound) {
        return (int) (((nextBits(i) >>> 32) * bound) >>> 32);
    }

    /** A random number from the standard normal distribution (Box and Muller 1958). */
    protected final double normal(int i) {
        double radius = Math.sqrt(-2 * Math.log(1 - uniform(i, 0, 1)));
        return radius * Math.cos(2 * Math.PI * uniform(i, 0, 1));
    }

    /** Writes a choice as {@code n} numbers from {@code at} on: 1 for the one that was made, 0 for the others. */
    protected static void writeOneHot(int choice, int n, float[] observations, int at) {
        for (int j = 0; j < n; j++) {
            observations[at + j] = j == choice ? 1 : 0;
        }
    }

    private long nextBits(int i) {
        random[i] = SplitMix64.advance(random[i]);
        return SplitMix64.mix(random[i]);
    }

    @Override
    public final int count() {
        return count;
    }

    @Override
    public final Space observationSpace() {
        return observationSpace;
    }

    @Override
    public final Space actionSpace() {
        return actionSpace;
    }

    @Override
    public final void reset(long seed, int firstIndex, float[] observations) {
        this.seed = seed;
        this.firstIndex = firstIndex;
        started = true;
        Arrays.fill(episode, 0);
        for (int i = 0; i < count; i++) {
            startEpisode(i, observations);
        }
    }

    private void startEpisode(int i, float[] observations) {
        elapsed[i] = 0;
        random[i] = SplitMix64.episodeSeed(seed, firstIndex + i, episode[i]);
        begin(i, observations);
    }

    @Override
    public final void step(int[] choices, float[] values, StepBatch result) {
        requireStarted();
        StepChecks.check(this, choicesOfAction, firstIndex, choices, values, result);
        advance(choices, values, result);
        float[] observations = result.observations();
        boolean[] terminated = result.terminated();
        boolean[] truncated = result.truncated();
        for (int i = 0; i < count; i++) {
            boolean outOfTime = ++elapsed[i] >= timeLimit;
            truncated[i] = outOfTime && !terminated[i];
            if (outOfTime || terminated[i]) {
                int row = i * observationSize;
                System.arraycopy(observations, row, result.finalObservations(), row, observationSize);
                if (episodeEnd != null) {
                    episodeEnd.accept(i);
                }
                episode[i]++;
                startEpisode(i, observations);
            }
        }
    }

    @Override
    public final void onEpisodeEnd(@Nullable IntConsumer listener) {
        episodeEnd = listener;
    }

    /** Steps after which an episode is truncated. */
    final int timeLimit() {
        return timeLimit;
    }

    /** Seed of the run, as {@link #reset} or {@link #restoreState} had it. */
    final long seed() {
        return seed;
    }

    /** Index of environment 0 among those of the run. */
    final int firstIndex() {
        return firstIndex;
    }

    /** What all environments have: steps of the episode, number of the episode, random state. */
    final List<StateVariable> commonVariables() {
        return state.subList(0, ownVariables);
    }

    /** What this one has beside it. */
    final List<StateVariable> ownVariables() {
        return state.subList(ownVariables, state.size());
    }

    /** Refuses a step before there is an episode. */
    final void requireStarted() {
        if (!started) {
            throw new IllegalStateException("step before reset: call reset or restoreState first");
        }
    }

    @Override
    public final boolean canSaveState() {
        return true;
    }

    @Override
    public final void restart(int i, float[] observations) {
        episode[i]++;
        startEpisode(i, observations);
    }

    @Override
    public final void saveState(int i, DataOutput out) throws IOException {
        if (!started) {
            throw new IllegalStateException("there is no state to save before reset");
        }
        out.writeUTF(name);
        out.writeLong(seed);
        out.writeInt(firstIndex + i);
        for (StateVariable variable : state) {
            variable.write(i, out);
        }
    }

    @Override
    public final void restoreState(int i, DataInput in) throws IOException {
        String saved = in.readUTF();
        if (!saved.equals(name)) {
            throw new IOException("the saved state is of " + saved + ", not of " + name);
        }
        seed = in.readLong();
        firstIndex = in.readInt() - i;
        for (StateVariable variable : state) {
            variable.read(i, in);
        }
        started = true;
    }
}
