// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepEncoding;
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
public final class ObservationNormalizer implements AutoCloseable {
    private static final int AS_IT_IS = -1;
    private static final int PIXEL = -2;

    private final Backend backend;
    private final boolean enabled;
    private final int size;

    /** The column of each number's moments, {@link #AS_IT_IS} or {@link #PIXEL}. */
    private final int[] columns;

    /** Of all numbers that have moments of their own, in order. */
    private final SharedMoments moments;

    /** The numbers that {@link #moments} are of, row by row, for {@link #include}. */
    private final float[] plain;

    private final Map<String, EntityMoments> entities = new LinkedHashMap<>();

    /** Halves of means and reciprocal standard deviations, on the host and on the device. */
    private final int[] halves;

    private final DeviceArray scales;

    /** A set of entities that begins at {@code offset}; its features' means begin at column {@code first}. */
    private record EntityMoments(Space.Entities space, int offset, int first, SharedMoments moments) {
        /** How many entities an observation has. */
        int count(float[] observations, int from) {
            float said = observations[from + offset + space.size() - 1];
            return (int) Math.max(0, Math.min(space.most(), said));
        }
    }

    ObservationNormalizer(Backend backend, boolean enabled, Schema schema) {
        this.backend = backend;
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
                        leaf.path(), new EntityMoments(set, leaf.offset(), all, new SharedMoments(set.features())));
                all += set.features();
            }
        }
        this.moments = new SharedMoments(plainColumns);
        this.plain = new float[plainColumns];
        this.halves = new int[all * StepEncoding.ENTRY];
        this.scales = backend.memory().allocate(DType.I32, halves.length);
        refresh();
    }

    public boolean enabled() {
        return enabled;
    }

    /** Whether it has yet to see its first observation. */
    public boolean lacksStatistics() {
        return enabled
                && (plain.length > 0
                        ? moments.ofAll().isEmpty()
                        : !entities.isEmpty()
                                && entities.values().stream()
                                        .allMatch(set -> set.moments.ofAll().isEmpty()));
    }

    /** How each number of an observation is encoded, see {@link StepEncoding}. */
    int[] entries() {
        int[] entries = new int[size * StepEncoding.ENTRY];
        for (int i = 0; i < size; i++) {
            boolean scaled = enabled && columns[i] >= 0;
            int kind = columns[i] == PIXEL ? StepEncoding.PIXEL : scaled ? columns[i] : StepEncoding.COPIED;
            StepEncoder.put(entries, i, kind, i, 0, -1);
        }
        if (enabled) {
            for (EntityMoments set : entities.values()) {
                int features = set.space.features();
                for (int i = 0; i < set.space.most() * features; i++) {
                    int counted = set.offset + set.space.size() - 1;
                    StepEncoder.put(
                            entries, set.offset + i, set.first + i % features, set.offset + i, i / features, counted);
                }
            }
        }
        return entries;
    }

    /** I32 [columns, 4], see {@link StepEncoding#scales}: what was made to count last. */
    DeviceArray scales() {
        return scales;
    }

    /** From now on each member of a run includes its own observations, and moments are those of all. */
    public void shareBy(SharedMoments.Exchange members) {
        moments.shareBy(members);
        entities.values().forEach(set -> set.moments.shareBy(members));
    }

    /** Takes in {@code rows} raw observations; they count from the next {@link #refresh} on. */
    public void include(float[] observations, int rows) {
        if (plain.length == size) {
            moments.include(observations, 0, rows);
            return;
        }
        for (int row = 0; row < rows; row++) {
            int from = row * size;
            for (int i = 0; i < size; i++) {
                if (columns[i] >= 0) {
                    plain[columns[i]] = observations[from + i];
                }
            }
            moments.include(plain, 0, 1);
            for (EntityMoments set : entities.values()) {
                set.moments.include(observations, from + set.offset, set.count(observations, from));
            }
        }
    }

    /** Takes in what all members have included since the last time; called by all of them. Where there is one, it has done so. */
    public void exchange() {
        if (enabled) {
            moments.exchange();
            entities.values().forEach(set -> set.moments.exchange());
        }
    }

    /** Makes what was included count. */
    public void refresh() {
        refresh(moments.ofAll(), 0, plain.length);
        for (EntityMoments set : entities.values()) {
            refresh(set.moments.ofAll(), set.first, set.space.features());
        }
        backend.memory().upload(halves, 0, scales);
    }

    private void refresh(RunningMoments of, int first, int count) {
        for (int i = 0; i < count; i++) {
            int at = (first + i) * StepEncoding.ENTRY;
            put(of.mean(i), at);
            put(1 / of.std(i), at + 2);
        }
    }

    private void put(double number, int at) {
        long bits = Double.doubleToRawLongBits(number);
        halves[at] = (int) bits;
        halves[at + 1] = (int) (bits >>> Integer.SIZE);
    }

    /** All moments, for a checkpoint: those of numbers by the name "", those of entities by a name with their path. */
    public Map<String, RunningMoments> moments() {
        Map<String, RunningMoments> all = new LinkedHashMap<>();
        all.put("", moments.ofAll());
        entities.forEach((path, set) -> all.put(".entities." + path, set.moments.ofAll()));
        return all;
    }

    @Override
    public void close() {
        scales.release();
    }
}
