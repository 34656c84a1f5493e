// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/** Base of batches whose observations are not those of the batch within. */
abstract class ReshapedBatch extends WrappedBatch {
    private final Space observationSpace;

    /** What the batch within did last. */
    final StepBatch innerResult;

    final int innerSize;
    final int size;

    ReshapedBatch(VectorEnvironment inner, Space observationSpace) {
        super(inner);
        this.observationSpace = observationSpace;
        innerSize = inner.observationSpace().size();
        size = observationSpace.size();
        innerResult = StepBatch.allocate(inner.count(), innerSize);
    }

    /** Shows row {@code i} of {@code seen}, the first observation of an episode, in row {@code i} of {@code shown}. */
    abstract void begin(int i, float[] seen, float[] shown);

    /** Shows row {@code i} of {@code seen}, the observation after a step, in row {@code i} of {@code shown}. */
    abstract void goOn(int i, float[] seen, float[] shown);

    @Override
    public final Space observationSpace() {
        return observationSpace;
    }

    @Override
    public final void reset(long seed, int firstIndex, float[] observations) {
        inner.reset(seed, firstIndex, innerResult.observations());
        for (int i = 0; i < count(); i++) {
            begin(i, innerResult.observations(), observations);
        }
    }

    @Override
    public final void restart(int i, float[] observations) {
        inner.restart(i, innerResult.observations());
        begin(i, innerResult.observations(), observations);
    }

    @Override
    public final void step(int[] choices, float[] values, StepBatch result) {
        inner.step(choices, values, innerResult);
        int count = count();
        System.arraycopy(innerResult.rewards(), 0, result.rewards(), 0, count);
        System.arraycopy(innerResult.terminated(), 0, result.terminated(), 0, count);
        System.arraycopy(innerResult.truncated(), 0, result.truncated(), 0, count);
        for (int i = 0; i < count; i++) {
            if (ended(innerResult, i)) {
                goOn(i, innerResult.finalObservations(), result.finalObservations());
                begin(i, innerResult.observations(), result.observations());
            } else {
                goOn(i, innerResult.observations(), result.observations());
            }
        }
    }

    @Override
    public final float[] reportedRewards(StepBatch last) {
        return inner.reportedRewards(innerResult);
    }
}
