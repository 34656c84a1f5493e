// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Shows the reward of the step before as the last number of an observation; 0 in an episode's first. */
final class PreviousReward extends ReshapedBatch {
    private static final String NAME = "previous_reward";

    /** {@link Wrapper#previousReward}. */
    record Of() implements Wrapper {
        @Override
        public String text() {
            return NAME;
        }

        @Override
        public boolean keepsReturns() {
            return true;
        }

        @Override
        public Space observationSpace(Space inner) {
            Space.Box reward = new Space.Box(1, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
            if (inner instanceof Space.Dict dict) {
                Map<String, Space> parts = new LinkedHashMap<>(dict.parts());
                if (parts.put(NAME, reward) != null) {
                    throw new IllegalArgumentException("the observation has a part '" + NAME + "' already");
                }
                return new Space.Dict(parts);
            }
            return new Space.Tuple(List.of(inner, reward));
        }

        @Override
        public VectorEnvironment wrap(VectorEnvironment inner) {
            return new PreviousReward(inner, observationSpace(inner.observationSpace()));
        }
    }

    private PreviousReward(VectorEnvironment inner, Space observationSpace) {
        super(inner, observationSpace);
    }

    @Override
    void begin(int i, float[] seen, float[] shown) {
        show(i, seen, 0, shown);
    }

    @Override
    void goOn(int i, float[] seen, float[] shown) {
        show(i, seen, innerResult.rewards()[i], shown);
    }

    private void show(int i, float[] seen, float reward, float[] shown) {
        System.arraycopy(seen, i * innerSize, shown, i * size, innerSize);
        shown[i * size + innerSize] = reward;
    }
}
