// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/** Changes the rewards that are learned from, and keeps those that are reported. */
final class TransformedRewards extends WrappedBatch {
    /** {@link Wrapper#rewards}. */
    record Of(String text, RewardTransform transform) implements Wrapper {
        @Override
        public boolean keepsReturns() {
            return true;
        }

        @Override
        public VectorEnvironment wrap(VectorEnvironment inner) {
            return new TransformedRewards(inner, transform);
        }
    }

    private final Wrapper.RewardTransform transform;
    private final float[] reported;

    private TransformedRewards(VectorEnvironment inner, Wrapper.RewardTransform transform) {
        super(inner);
        this.transform = transform;
        reported = new float[inner.count()];
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        inner.step(choices, values, result);
        System.arraycopy(inner.reportedRewards(result), 0, reported, 0, reported.length);
        float[] rewards = result.rewards();
        for (int i = 0; i < reported.length; i++) {
            rewards[i] = transform.apply(rewards[i]);
        }
    }

    @Override
    public float[] reportedRewards(StepBatch last) {
        return reported;
    }
}
