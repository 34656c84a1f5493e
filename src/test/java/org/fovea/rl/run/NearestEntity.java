// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Environments;
import org.fovea.env.SavesState;
import org.fovea.env.Space;
import org.fovea.env.Step;

/**
 * Choose the entity whose first feature is nearest to a number, out of one to six; episodes of nine steps. Once with that choice
 * alone, and once beside one of eight, of which that is right which says how many entities there are.
 */
public final class NearestEntity implements Environment, SavesState {
    /** With the choice of an entity alone. */
    public static final String ALONE = "NearestEntity-v0";

    /** With another choice behind it. */
    public static final String BESIDE = "NearestEntityAndCount-v0";

    public static final int MOST = 6;
    private static final int STEPS = 9;
    private static boolean registered;

    private final boolean alone;
    private long seed;
    private int steps;
    private int count;
    private int nearest;

    private NearestEntity(boolean alone) {
        this.alone = alone;
    }

    /** Makes both known, once. */
    public static synchronized void register() {
        if (!registered) {
            registered = true;
            Environments.register(ALONE, "for tests", () -> new NearestEntity(true));
            Environments.register(BESIDE, "for tests", () -> new NearestEntity(false));
        }
    }

    @Override
    public Space observationSpace() {
        Map<String, Space> parts = new LinkedHashMap<>();
        parts.put("wanted", new Space.Box(1, -1, 1));
        parts.put("things", new Space.Entities(MOST, 2));
        return new Space.Dict(parts);
    }

    @Override
    public Space actionSpace() {
        Space thing = new Space.EntityChoice("things", MOST);
        return alone ? thing : new Space.Tuple(thing, new Space.Discrete(8));
    }

    private float[] observe() {
        Random random = new Random(seed + 31L * steps);
        count = 1 + random.nextInt(MOST);
        float[] observation = new float[1 + 2 * MOST + 1];
        float wanted = random.nextFloat() * 2 - 1;
        observation[0] = wanted;
        nearest = 0;
        for (int i = 0; i < count; i++) {
            observation[1 + 2 * i] = random.nextFloat() * 2 - 1;
            observation[2 + 2 * i] = random.nextFloat();
            if (Math.abs(observation[1 + 2 * i] - wanted) < Math.abs(observation[1 + 2 * nearest] - wanted)) {
                nearest = i;
            }
        }
        observation[observation.length - 1] = count;
        return observation;
    }

    @Override
    public float[] reset(long newSeed) {
        seed = newSeed;
        steps = 0;
        return observe();
    }

    @Override
    public Step step(Action action) {
        if (action.choice() >= count) {
            throw new IllegalStateException("there are " + count + " entities, and " + action + " was chosen");
        }
        boolean right = action.choice() == nearest;
        float reward = alone ? (right ? 1 : 0) : (right ? 0.5f : 0) + (action.choice(1) == count ? 0.5f : 0);
        steps++;
        float[] observation = observe();
        return steps == STEPS ? Step.terminated(observation, reward) : Step.of(observation, reward);
    }

    @Override
    public void saveState(DataOutput out) throws IOException {
        out.writeLong(seed);
        out.writeInt(steps);
    }

    @Override
    public void restoreState(DataInput in) throws IOException {
        seed = in.readLong();
        steps = in.readInt();
        observe();
    }
}
