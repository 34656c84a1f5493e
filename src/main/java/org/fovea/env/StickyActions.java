// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/** Does an action again, now and then. */
final class StickyActions extends WrappedBatch {
    /** {@link Wrapper#stickyActions}. */
    record Of(double probability) implements Wrapper {
        Of {
            if (!(probability >= 0 && probability < 1)) {
                throw new IllegalArgumentException(
                        "the probability of a sticky action is at least 0 and less than 1, not " + probability);
            }
        }

        @Override
        public String text() {
            return "sticky_actions=" + probability;
        }

        @Override
        public VectorEnvironment wrap(VectorEnvironment inner) {
            requireRepeatable(inner.actionSpace(), this);
            return new StickyActions(inner, probability);
        }
    }

    /** Sets this wrapper's random numbers apart from those of the environment. */
    private static final long STREAM = 0x5715C6;

    private final double probability;
    private final int[] choicesOfAction;
    private final int parts;
    private final int numbers;
    private final boolean[] allowed;

    /** The actions that were done last, which are to be done again if {@link #hasLast}. */
    private final int[] lastChoices;

    private final float[] lastValues;
    private final boolean[] hasLast;
    private final long[] episode;
    private final long[] random;
    private long seed;
    private int firstIndex;

    private StickyActions(VectorEnvironment inner, double probability) {
        super(inner);
        this.probability = probability;
        int count = inner.count();
        choicesOfAction = Schema.of(inner.actionSpace()).choices();
        parts = choicesOfAction.length;
        numbers = parts == 0 ? inner.actionSpace().size() : 0;
        allowed = inner.newActionMasks();
        lastChoices = new int[count * parts];
        lastValues = new float[count * numbers];
        hasLast = new boolean[count];
        episode = new long[count];
        random = new long[count];
    }

    @Override
    public void reset(long seed, int firstIndex, float[] observations) {
        this.seed = seed;
        this.firstIndex = firstIndex;
        Arrays.fill(episode, 0);
        for (int i = 0; i < random.length; i++) {
            begin(i);
        }
        inner.reset(seed, firstIndex, observations);
    }

    private void begin(int i) {
        hasLast[i] = false;
        random[i] = SplitMix64.episodeSeed(seed ^ STREAM, firstIndex + i, episode[i]);
    }

    @Override
    public void restart(int i, float[] observations) {
        episode[i]++;
        begin(i);
        inner.restart(i, observations);
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        if (allowed.length > 0) {
            inner.actionMasks(allowed);
        }
        for (int i = 0; i < random.length; i++) {
            random[i] = SplitMix64.advance(random[i]);
            boolean again = hasLast[i]
                    && (SplitMix64.mix(random[i]) >>> 11) * 0x1p-53 < probability
                    && ActionMasks.allow(allowed, i, choicesOfAction, lastChoices, i);
            if (!again) {
                System.arraycopy(choices, i * parts, lastChoices, i * parts, parts);
                System.arraycopy(values, i * numbers, lastValues, i * numbers, numbers);
            }
            hasLast[i] = true;
        }
        inner.step(lastChoices, lastValues, result);
        for (int i = 0; i < random.length; i++) {
            if (ended(result, i)) {
                episode[i]++;
                begin(i);
            }
        }
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        out.writeLong(seed);
        out.writeInt(firstIndex + i);
        out.writeLong(episode[i]);
        out.writeLong(random[i]);
        out.writeBoolean(hasLast[i]);
        for (int part = i * parts; part < (i + 1) * parts; part++) {
            out.writeInt(lastChoices[part]);
        }
        for (int j = i * numbers; j < (i + 1) * numbers; j++) {
            out.writeFloat(lastValues[j]);
        }
        super.saveState(i, out);
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        seed = in.readLong();
        firstIndex = in.readInt() - i;
        episode[i] = in.readLong();
        random[i] = in.readLong();
        hasLast[i] = in.readBoolean();
        for (int part = i * parts; part < (i + 1) * parts; part++) {
            lastChoices[part] = in.readInt();
        }
        for (int j = i * numbers; j < (i + 1) * numbers; j++) {
            lastValues[j] = in.readFloat();
        }
        super.restoreState(i, in);
    }
}
