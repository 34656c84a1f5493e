// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.awt.image.BufferedImage;

/**
 * An {@link AttentionMap} as a picture: a square for each head, side by side. A row is a step, from the top; a column is the step that it
 * attends to, from the left, or in an episode that is longer than its window how many steps before, from the right; of entities, their row
 * in the observation. Dark is 0, bright the largest weight of the head.
 */
public final class AttentionImage {
    private static final int SMALLEST = 240;
    private static final int GAP = 8;

    /** Of a palette that gets brighter evenly, from dark violet through teal to yellow; in print and to the colour-blind, too. */
    private static final int[] PALETTE = {0x440154, 0x414487, 0x2a788e, 0x22a884, 0x7ad151, 0xfde725};

    private AttentionImage() {}

    /** Draws a map. */
    public static BufferedImage of(AttentionMap map) {
        boolean byAge = map.over() == AttentionMap.Over.STEPS && map.steps() > map.keys();
        int columns = map.keys();
        int cell = Math.max(1, SMALLEST / Math.max(columns, map.steps()));
        int width = columns * cell;
        BufferedImage image =
                new BufferedImage(map.heads() * (width + GAP) - GAP, map.steps() * cell, BufferedImage.TYPE_INT_RGB);
        for (int head = 0; head < map.heads(); head++) {
            float most = largest(map, head);
            for (int step = 0; step < map.steps(); step++) {
                for (int column = 0; column < columns; column++) {
                    float weight = byAge
                            ? weight(map, step, head, columns - 1 - column)
                            : map.over() == AttentionMap.Over.STEPS
                                    ? column > step ? 0 : weight(map, step, head, step - column)
                                    : weight(map, step, head, column);
                    fill(image, head * (width + GAP) + column * cell, step * cell, cell, colour(weight / most));
                }
            }
        }
        return image;
    }

    private static float weight(AttentionMap map, int step, int head, int key) {
        float sum = 0;
        for (int query = 0; query < map.queries(); query++) {
            sum += map.weight(step, head, query, key);
        }
        return sum;
    }

    private static float largest(AttentionMap map, int head) {
        float largest = Float.MIN_NORMAL;
        for (int step = 0; step < map.steps(); step++) {
            for (int key = 0; key < map.keys(); key++) {
                largest = Math.max(largest, weight(map, step, head, key));
            }
        }
        return largest;
    }

    private static void fill(BufferedImage image, int x, int y, int size, int colour) {
        for (int row = y; row < y + size; row++) {
            for (int column = x; column < x + size; column++) {
                image.setRGB(column, row, colour);
            }
        }
    }

    /** @param share from 0 to 1 */
    private static int colour(float share) {
        float at = Math.max(0, Math.min(1, share)) * (PALETTE.length - 1);
        int lower = Math.min(PALETTE.length - 2, (int) at);
        int mixed = 0;
        for (int shift = 0; shift <= 16; shift += 8) {
            int from = PALETTE[lower] >> shift & 0xff;
            int to = PALETTE[lower + 1] >> shift & 0xff;
            mixed |= Math.round(from + (at - lower) * (to - from)) << shift;
        }
        return mixed;
    }
}
