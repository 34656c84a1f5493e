// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.Step;

/** Random observations of a space, episodes of 3 to 40 steps, and random masks if there are any. */
final class MixedEnvironment implements Environment {
    /** Every kind of part that an observation can have, and every kind of choice, some forbidden. */
    static final String ALL = "OnnxMixed-v0";

    /** A picture that goes through the large convolutions. */
    static final String LARGE_PICTURE = "OnnxPicture-v0";

    /** Numbers with two, one and no bounds as actions. */
    static final String NUMBERS = "OnnxNumbers-v0";

    private static boolean registered;

    private final Space observations;
    private final Space actions;
    private final boolean masked;
    private long seed;
    private int steps;

    private MixedEnvironment(Space observations, Space actions, boolean masked) {
        this.observations = observations;
        this.actions = actions;
        this.masked = masked;
    }

    static synchronized void register() {
        if (registered) {
            return;
        }
        registered = true;
        Map<String, Space> parts = new LinkedHashMap<>();
        parts.put("kind", new Space.Discrete(3));
        parts.put("things", new Space.Entities(4, 2));
        parts.put("picture", new Space.Image(2, 5, 6));
        parts.put("speed", new Space.Box(2, -2e6f, 2e6f));
        parts.put("others", new Space.Entities(3, 1));
        Space all = new Space.Dict(parts);
        Space choices = new Space.Tuple(
                new Space.Discrete(3, 5), new Space.EntityChoice("things", 4), new Space.MultiBinary(2));
        float infinity = Float.POSITIVE_INFINITY;
        Space numbers = new Space.Box(new float[] {-3, -infinity, 0.5f}, new float[] {1, infinity, infinity});
        Environments.register(ALL, "for tests", () -> new MixedEnvironment(all, choices, true));
        Environments.register(
                LARGE_PICTURE,
                "for tests",
                () -> new MixedEnvironment(new Space.Image(3, 37, 40), new Space.Discrete(2), false));
        Environments.register(
                NUMBERS, "for tests", () -> new MixedEnvironment(new Space.Box(3, -1, 1), numbers, false));
    }

    @Override
    public Space observationSpace() {
        return observations;
    }

    @Override
    public Space actionSpace() {
        return actions;
    }

    @Override
    public boolean masksActions() {
        return masked;
    }

    @Override
    public boolean[] actionMask() {
        if (!masked) {
            return null;
        }
        // Three choices, four entities of which the first is always there, and two bits of two choices each.
        Random random = new Random(seed * 31 + steps);
        boolean[] allowed = new boolean[3 + 4 + 4];
        for (int i = 0; i < allowed.length; i++) {
            allowed[i] = random.nextBoolean();
        }
        for (int sure : new int[] {random.nextInt(3), 3, 7 + random.nextInt(2), 9 + random.nextInt(2)}) {
            allowed[sure] = true;
        }
        return allowed;
    }

    private float[] observe() {
        Random random = new Random(seed * 31 + steps + 7);
        return observe(observations, random, "");
    }

    private static float[] observe(Space space, Random random, String name) {
        float[] values = new float[space.size()];
        if (space instanceof Space.Dict dict) {
            Map<String, float[]> parts = new LinkedHashMap<>();
            dict.parts().forEach((part, of) -> parts.put(part, observe(of, random, part)));
            return dict.flatten(parts);
        } else if (space instanceof Space.Discrete discrete) {
            values[random.nextInt(discrete.n())] = 1;
        } else if (space instanceof Space.Entities set) {
            // There is always one to choose; of others there may be none.
            int count = name.equals("things") ? 1 + random.nextInt(set.most()) : random.nextInt(set.most() + 1);
            for (int i = 0; i < count * set.features(); i++) {
                values[i] = 500 + 100 * (float) random.nextGaussian();
            }
            values[values.length - 1] = count;
        } else if (space instanceof Space.Image) {
            for (int i = 0; i < values.length; i++) {
                values[i] = random.nextInt(256);
            }
        } else if (name.equals("speed")) {
            // A mean that is large beside the deviation.
            for (int i = 0; i < values.length; i++) {
                values[i] = 1e6f + random.nextInt(9);
            }
        } else {
            for (int i = 0; i < values.length; i++) {
                values[i] = 2 * random.nextFloat() - 1;
            }
        }
        return values;
    }

    @Override
    public float[] reset(long newSeed) {
        seed = newSeed;
        steps = 0;
        return observe();
    }

    @Override
    public Step step(Action action) {
        steps++;
        boolean ends = steps == 3 + Math.floorMod(seed, 38L);
        return ends ? Step.terminated(observe(), steps) : Step.of(observe(), 0.1 * steps);
    }
}
