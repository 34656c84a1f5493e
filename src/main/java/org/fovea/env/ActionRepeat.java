// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Arrays;

/** Acts several times in a step. */
final class ActionRepeat extends WrappedBatch {
    /** {@link Wrapper#actionRepeat}. */
    record Of(int times) implements Wrapper {
        Of {
            if (times < 1) {
                throw new IllegalArgumentException("an action is done at least 1 time, not " + times);
            }
        }

        @Override
        public String text() {
            return "action_repeat=" + times;
        }

        @Override
        public boolean keepsReturns() {
            return true;
        }

        /** Episodes end at different repetitions. */
        @Override
        public boolean oneByOne() {
            return true;
        }

        @Override
        public VectorEnvironment wrap(VectorEnvironment inner) {
            requireRepeatable(inner.actionSpace(), this);
            return new ActionRepeat(inner, times);
        }
    }

    private final int times;
    private final int[] choicesOfAction;
    private final boolean[] allowed;
    private final float[] reported = new float[1];

    /** @param inner of one environment */
    private ActionRepeat(VectorEnvironment inner, int times) {
        super(inner);
        this.times = times;
        choicesOfAction = Schema.of(inner.actionSpace()).choices();
        allowed = inner.newActionMasks();
        Arrays.fill(allowed, true);
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        float reward = 0;
        reported[0] = 0;
        int done = 0;
        do {
            inner.step(choices, values, result);
            reward += result.rewards()[0];
            reported[0] += inner.reportedRewards(result)[0];
            done++;
        } while (done < times && !ended(result, 0) && isAllowed(choices));
        result.rewards()[0] = reward;
    }

    private boolean isAllowed(int[] choices) {
        if (allowed.length > 0) {
            inner.actionMasks(allowed);
        }
        return ActionMasks.allow(allowed, 0, choicesOfAction, choices, 0);
    }

    @Override
    public float[] reportedRewards(StepBatch last) {
        return reported;
    }
}
