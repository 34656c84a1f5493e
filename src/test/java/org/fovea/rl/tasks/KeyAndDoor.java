// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Space;

/**
 * On a grid of five by five: fetch the key, then reach the door. Where they are is seen in the first step only. Reward at the
 * door with the key: 1 - t / 100 after t steps; at most 50. The shortest ways give 0.93 on average.
 */
final class KeyAndDoor extends Task {
    private static final int SIDE = 5;
    private static final int[] DX = {1, -1, 0, 0};
    private static final int[] DY = {0, 0, 1, -1};

    private int x;
    private int y;
    private int key;
    private int door;
    private boolean hasKey;
    private boolean opened;

    KeyAndDoor() {
        super(50);
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(7, -1, 1);
    }

    @Override
    public Space actionSpace() {
        return new Space.Discrete(DX.length);
    }

    @Override
    void begin(Random random) {
        int cells = SIDE * SIDE;
        int start = random.nextInt(cells);
        x = start % SIDE;
        y = start / SIDE;
        key = (start + 1 + random.nextInt(cells - 1)) % cells;
        door = (key + 1 + random.nextInt(cells - 1)) % cells;
        hasKey = false;
        opened = false;
    }

    @Override
    float[] observe() {
        boolean shown = time() == 0;
        return new float[] {
            scaled(x),
            scaled(y),
            hasKey ? 1 : 0,
            shown ? scaled(key % SIDE) : 0,
            shown ? scaled(key / SIDE) : 0,
            shown ? scaled(door % SIDE) : 0,
            shown ? scaled(door / SIDE) : 0
        };
    }

    private static float scaled(int coordinate) {
        return (coordinate - 2) / 2f;
    }

    @Override
    double act(Action action) {
        x = Math.max(0, Math.min(SIDE - 1, x + DX[action.choice()]));
        y = Math.max(0, Math.min(SIDE - 1, y + DY[action.choice()]));
        int cell = SIDE * y + x;
        hasKey |= cell == key;
        opened = hasKey && cell == door;
        return opened ? 1 - (time() + 1) / 100.0 : 0;
    }

    @Override
    boolean isDone() {
        return opened;
    }
}
