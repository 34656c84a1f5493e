// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/** Truncates episodes. */
final class TimeLimit extends WrappedBatch {
    /** {@link Wrapper#timeLimit}. */
    record Of(int steps) implements Wrapper {
        Of {
            if (steps < 1) {
                throw new IllegalArgumentException("a time limit needs at least 1 step, not " + steps);
            }
        }

        @Override
        public String text() {
            return "time_limit=" + steps;
        }

        @Override
        public VectorEnvironment wrap(VectorEnvironment inner) {
            return new TimeLimit(inner, steps);
        }
    }

    private final int steps;
    private final int size;
    private final int[] elapsed;

    /** Null while nobody looks. */
    private @Nullable IntConsumer episodeEnd;

    private TimeLimit(VectorEnvironment inner, int steps) {
        super(inner);
        this.steps = steps;
        size = inner.observationSpace().size();
        elapsed = new int[inner.count()];
    }

    @Override
    public void reset(long seed, int firstIndex, float[] observations) {
        Arrays.fill(elapsed, 0);
        inner.reset(seed, firstIndex, observations);
    }

    @Override
    public void restart(int i, float[] observations) {
        elapsed[i] = 0;
        inner.restart(i, observations);
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        inner.step(choices, values, result);
        for (int i = 0; i < elapsed.length; i++) {
            elapsed[i]++;
            if (ended(result, i)) {
                elapsed[i] = 0;
            } else if (elapsed[i] >= steps) {
                result.truncated()[i] = true;
                System.arraycopy(result.observations(), i * size, result.finalObservations(), i * size, size);
                if (episodeEnd != null) {
                    episodeEnd.accept(i);
                }
                restart(i, result.observations());
            }
        }
    }

    @Override
    public void onEpisodeEnd(@Nullable IntConsumer listener) {
        super.onEpisodeEnd(listener);
        episodeEnd = listener;
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        out.writeInt(elapsed[i]);
        super.saveState(i, out);
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        elapsed[i] = in.readInt();
        super.restoreState(i, in);
    }
}
