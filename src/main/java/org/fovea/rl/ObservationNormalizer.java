package org.fovea.rl;

/**
 * Shifts and scales observations by running moments, clipped to [-10, 10]; or leaves them alone. The moments stand still
 * while a segment is played and take in the whole of it afterwards.
 */
final class ObservationNormalizer {
    private static final float LIMIT = 10;

    private final boolean enabled;
    private final RunningMoments moments;
    private final float[] mean;
    private final float[] reciprocalStd;

    ObservationNormalizer(boolean enabled, int size) {
        this.enabled = enabled;
        this.moments = new RunningMoments(size);
        this.mean = new float[size];
        this.reciprocalStd = new float[size];
        refresh();
    }

    boolean enabled() {
        return enabled;
    }

    void normalize(float[] source, int from, float[] target, int to) {
        int size = mean.length;
        if (!enabled) {
            System.arraycopy(source, from, target, to, size);
            return;
        }
        for (int i = 0; i < size; i++) {
            float scaled = (source[from + i] - mean[i]) * reciprocalStd[i];
            target[to + i] = Math.max(-LIMIT, Math.min(LIMIT, scaled));
        }
    }

    /** Takes in {@code rows} raw observations, before the next segment. */
    void include(float[] observations, int rows) {
        moments.include(observations, rows);
    }

    /** Makes what was included count. */
    void refresh() {
        for (int i = 0; i < mean.length; i++) {
            mean[i] = (float) moments.mean(i);
            reciprocalStd[i] = (float) (1 / moments.std(i));
        }
    }

    RunningMoments moments() {
        return moments;
    }
}
