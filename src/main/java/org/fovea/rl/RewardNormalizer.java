package org.fovea.rl;

/**
 * Divides rewards by the running standard deviation of the discounted return, clipped to [-10, 10]; or leaves them alone.
 * The deviation stands still while a segment is played.
 */
final class RewardNormalizer {
    private static final float LIMIT = 10;

    private final boolean enabled;
    private final float gamma;
    private final RunningMoments moments = new RunningMoments(1);
    private float reciprocalStd = 1;

    RewardNormalizer(boolean enabled, float gamma) {
        this.enabled = enabled;
        this.gamma = gamma;
    }

    boolean enabled() {
        return enabled;
    }

    float normalize(float reward) {
        return enabled ? Math.max(-LIMIT, Math.min(LIMIT, reward * reciprocalStd)) : reward;
    }

    /** The discounted return after one more reward. */
    float discount(float discountedReturn, float reward) {
        return discountedReturn * gamma + reward;
    }

    /** Takes in discounted returns, before the next segment. */
    void include(float[] discountedReturns, int count) {
        moments.include(discountedReturns, count);
    }

    /** Makes what was included count. */
    void refresh() {
        reciprocalStd = (float) (1 / moments.std(0));
    }

    RunningMoments moments() {
        return moments;
    }
}
