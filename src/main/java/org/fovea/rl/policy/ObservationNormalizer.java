// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.env.Schema;
import org.fovea.env.Space;

/**
 * Shifts and scales observations by running moments, clipped to [-10, 10]; or leaves them alone. The moments stand still
 * while a segment is played and take in the whole of it afterwards, except for the first one: it would be played blind, so
 * they take in each of its steps before the policy is shown it.
 *
 * <p>Each number has moments of its own, with two exceptions. All entities of a set share those of their features, to which
 * the ones that are there count; what is missing stays 0, and their number is left alone. A picture is divided by 255 and
 * has none.
 */
public final class ObservationNormalizer {
    private static final double LIMIT = 10;
    private static final float BRIGHTEST = 255;
    private static final int AS_IT_IS = -1;
    private static final int PIXEL = -2;

    private final boolean enabled;
    private final int size;

    /** The column of each number's moments, {@link #AS_IT_IS} or {@link #PIXEL}. */
    private final int[] columns;

    /** Of all numbers that have moments of their own, in order. */
    private final RunningMoments moments;

    /** The numbers that {@link #moments} are of, row by row, for {@link #include}. */
    private final float[] plain;

    private final Map<String, EntityMoments> entities = new LinkedHashMap<>();
    private final double[] mean;
    private final double[] reciprocalStd;

    /** A set of entities that begins at {@code offset}; its features' means begin at column {@code first}. */
    private record EntityMoments(Space.Entities space, int offset, int first, RunningMoments moments) {
        /** How many entities an observation has. */
        int count(float[] observations, int from) {
            float said = observations[from + offset + space.size() - 1];
            return (int) Math.max(0, Math.min(space.most(), said));
        }
    }

    ObservationNormalizer(boolean enabled, Schema schema) {
        this.enabled = enabled;
        this.size = schema.space().size();
        this.columns = new int[size];
        int plainColumns = 0;
        for (Schema.Leaf leaf : schema.leaves()) {
            boolean isPlain = !(leaf.space() instanceof Space.Entities) && !(leaf.space() instanceof Space.Image);
            for (int i = leaf.offset(); i < leaf.offset() + leaf.space().size(); i++) {
                columns[i] = isPlain ? plainColumns++ : leaf.space() instanceof Space.Image ? PIXEL : AS_IT_IS;
            }
        }
        int all = plainColumns;
        for (Schema.Leaf leaf : schema.leaves()) {
            if (leaf.space() instanceof Space.Entities set) {
                entities.put(
                        leaf.path(), new EntityMoments(set, leaf.offset(), all, new RunningMoments(set.features())));
                all += set.features();
            }
        }
        this.moments = new RunningMoments(plainColumns);
        this.plain = new float[plainColumns];
        this.mean = new double[all];
        this.reciprocalStd = new double[all];
        refresh();
    }

    public boolean enabled() {
        return enabled;
    }

    /** Whether it has yet to see its first observation. */
    public boolean lacksStatistics() {
        return enabled
                && (plain.length > 0
                        ? moments.isEmpty()
                        : !entities.isEmpty() && entities.values().stream().allMatch(set -> set.moments.isEmpty()));
    }

    void normalize(float[] source, int from, float[] target, int to) {
        for (int i = 0; i < size; i++) {
            int column = columns[i];
            float value = source[from + i];
            if (column == PIXEL) {
                target[to + i] = value / BRIGHTEST;
            } else {
                target[to + i] = column == AS_IT_IS || !enabled ? value : scaled(value, column);
            }
        }
        if (enabled) {
            for (EntityMoments set : entities.values()) {
                int count = set.count(source, from);
                for (int i = 0; i < count * set.space.features(); i++) {
                    int at = set.offset + i;
                    target[to + at] = scaled(source[from + at], set.first + i % set.space.features());
                }
            }
        }
    }

    private float scaled(float value, int column) {
        double scaled = (value - mean[column]) * reciprocalStd[column];
        return (float) Math.max(-LIMIT, Math.min(LIMIT, scaled));
    }

    /** Takes in {@code rows} raw observations; they count from the next {@link #refresh} on. */
    public void include(float[] observations, int rows) {
        if (plain.length == size) {
            moments.include(observations, rows);
            return;
        }
        for (int row = 0; row < rows; row++) {
            int from = row * size;
            for (int i = 0; i < size; i++) {
                if (columns[i] >= 0) {
                    plain[columns[i]] = observations[from + i];
                }
            }
            moments.include(plain, 1);
            for (EntityMoments set : entities.values()) {
                set.moments.include(observations, from + set.offset, set.count(observations, from));
            }
        }
    }

    /** Makes what was included count. */
    public void refresh() {
        refresh(moments, 0, plain.length);
        for (EntityMoments set : entities.values()) {
            refresh(set.moments, set.first, set.space.features());
        }
    }

    private void refresh(RunningMoments of, int first, int count) {
        for (int i = 0; i < count; i++) {
            mean[first + i] = of.mean(i);
            reciprocalStd[first + i] = 1 / of.std(i);
        }
    }

    /** All moments, for a checkpoint: those of numbers by the name "", those of entities by a name with their path. */
    public Map<String, RunningMoments> moments() {
        Map<String, RunningMoments> all = new LinkedHashMap<>();
        all.put("", moments);
        entities.forEach((path, set) -> all.put(".entities." + path, set.moments));
        return all;
    }
}
