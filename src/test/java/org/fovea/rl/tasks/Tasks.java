// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import org.fovea.cli.Fovea;
import org.fovea.env.Environments;

/**
 * Tasks as a newcomer might bring them, on which default settings are tried: {@code docs/results/defaults.sh}. None of them is
 * known to {@link org.fovea.rl.run.Defaults}.
 */
public final class Tasks {
    private static boolean registered;

    private Tasks() {}

    /** Runs a command of Fovea that knows the tasks. */
    public static void main(String[] arguments) {
        register();
        Fovea.main(arguments);
    }

    /** Makes the tasks known, once. */
    public static synchronized void register() {
        if (registered) {
            return;
        }
        registered = true;
        Environments.register("Recall", "Recall one of 4 after 20 steps", () -> new Recall(1, 20));
        Environments.register("Copy", "Repeat 5 symbols", () -> new Recall(5, 0));
        for (int length : new int[] {10, 30, 100, 500}) {
            Environments.register("TMaze" + length, "Turn as a cue said", () -> new TMaze(length));
        }
        Environments.register("Bandit", "5 arms, 50 pulls", () -> new Bandit(5, 50));
        Environments.register("KeyAndDoor", "Fetch a key, then find the door", KeyAndDoor::new);
        register("Shown", 1, 0);
        register("ShownRewards1e3", 1e3, 0);
        register("ShownRewards1e6", 1e6, 0);
        register("ShownRewards1e-6", 1e-6, 0);
        register("ShownOffset1000", 1, 1000);
        register("ReachUnit", new float[] {0}, new float[] {1});
        register("ReachHundred", new float[] {-100}, new float[] {100});
        register("ReachBoth", new float[] {0, -100}, new float[] {1, 100});
        Environments.register("PointMass", "Push a mass to the origin", PointMass::new);
        Environments.register("MountainCarContinuous", "Drive up a hill", MountainCarContinuous::new);
    }

    private static void register(String name, double rewardScale, float offset) {
        Environments.register(name, "Name what is shown", () -> new NameWhatIsShown(rewardScale, offset));
    }

    private static void register(String name, float[] low, float[] high) {
        Environments.register(name, "Give the numbers that are seen", () -> new Reach(low, high));
    }
}
