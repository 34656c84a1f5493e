// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.UploadBlock;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.backend.rl.StepInputs;
import org.jspecify.annotations.Nullable;

/** Steps of environments: their clocks, how they are encoded, which of them ended, and the way in. */
final class StepCases {
    private static final int ORIGIN = 3;

    private StepCases() {}

    static List<Case> all() {
        List<Case> cases = new ArrayList<>();
        for (int count : new int[] {0, 1, 5, 33, 257, 1031}) {
            cases.add(new Case("rl.advance", count + " environments", p -> advance(p, count)));
            cases.add(new Case("rl.enumerate", count + " flags", p -> enumerate(p, count)));
        }
        for (int rows : new int[] {0, 1, 3, 33, 207}) {
            cases.add(new Case("rl.encode", rows + " rows of choices", p -> encode(p, rows, true, false, 0)));
            cases.add(new Case(
                    "rl.encode", rows + " rows of choices, some forbidden", p -> encode(p, rows, true, true, 0)));
            cases.add(new Case("rl.encode", rows + " rows of numbers", p -> encode(p, rows, false, false, 1)));
        }
        cases.add(new Case("memory.allocateUploads", "arrays of three lengths", StepCases::uploads));
        return cases;
    }

    private static int[] integers(int count, int low, int high) {
        return new Random(31L * count + low).ints(count, low, high).toArray();
    }

    private static void advance(Pair p, int count) {
        Pair.Both rewards = p.floats(Pair.normal(count, 1));
        Pair.Both terminated = p.ints(integers(count, 0, 2));
        Pair.Both truncated =
                p.ints(Arrays.stream(integers(count, 0, 7)).map(x -> x / 6).toArray());
        Pair.Both positions = p.ints(integers(count, ORIGIN - 1, ORIGIN + 3));
        Pair.Both ages = p.ints(integers(count, 1, 9));
        Pair.Both episodes = p.ints(integers(count, 2, 5));
        Pair.Both discounted = p.floats(Pair.normal(count, 2));
        Pair.Both stream = p.ints(7);
        Pair.Both ended = p.floats(Pair.normal(count, 3));
        Pair.Both returns = p.floats(Pair.normal(count, 4));
        p.run(b -> b.rl().advance(
                        new StepArrays<>(
                                count,
                                0,
                                rewards.on(b),
                                rewards.on(b),
                                terminated.on(b),
                                truncated.on(b),
                                rewards.on(b),
                                null),
                        new StepClock(positions.on(b), ages.on(b), episodes.on(b), discounted.on(b), stream.on(b)),
                        ORIGIN,
                        2,
                        0.75f,
                        ended.on(b),
                        returns.on(b)));
        positions.isSameIntegers("positions");
        ages.isSameIntegers("ages");
        episodes.isSameIntegers("episodes");
        if (count > 0) {
            stream.isSameIntegers("stream");
        }
        ended.isExact("ends");
        double[] sizes =
                Arrays.stream(returns.expected()).map(x -> 6 + Math.abs(x)).toArray();
        discounted.isWithin(sizes, "discounted returns");
        returns.isWithin(sizes, "returns");
    }

    private static void enumerate(Pair p, int count) {
        Pair.Both flags = p.ints(integers(count, -1, 2));
        Pair.Both next = p.ints(-2);
        Pair.Both numbers = p.integerOutput(count);
        p.run(b -> b.rl().enumerate(flags.on(b), next.on(b), numbers.on(b)));
        numbers.isSameIntegers("numbers");
        next.isSameIntegers("the next number");
    }

    /** Observations of two entities of three features and their count, a pixel, and two numbers. */
    private static void encode(Pair p, int rows, boolean choices, boolean forbids, int later) {
        int size = 10;
        int actionSize = 2;
        double[] seen = Pair.normal(rows * size, 1);
        for (int row = 0; row < rows; row++) {
            seen[row * size + 6] = row % 4 - 0.5;
            seen[row * size + 7] = row % 256;
            seen[row * size + 8] *= 1e3;
        }
        List<int[]> entries = new ArrayList<>();
        IntStream.range(0, 6).forEach(i -> entries.add(new int[] {i % 3, i, i / 3, 6}));
        entries.add(new int[] {StepEncoding.COPIED, 6, 0, -1});
        entries.add(new int[] {StepEncoding.PIXEL, 7, 0, -1});
        entries.add(new int[] {3, 8, 0, -1});
        entries.add(new int[] {0, 9, 0, -1});
        for (int i = 0; i < actionSize; i++) {
            entries.add(new int[] {choices ? StepEncoding.CHOSEN : StepEncoding.ACTED, i, 1, -1});
        }
        entries.add(new int[] {StepEncoding.START, 0, 0, -1});
        entries.add(new int[] {StepEncoding.PERIODIC, 1, 2, -1});
        if (choices) {
            IntStream.range(-1, 3).forEach(i -> entries.add(new int[] {StepEncoding.ALLOWED, i, 0, -1}));
        }
        Pair.Both elements =
                p.ints(entries.stream().flatMapToInt(Arrays::stream).toArray());
        double[] numbers = {0.1, 1.5, -0.3, 1e-5, 1e5, 3, 250, 1e-2};
        int[] halves = IntStream.range(0, 2 * numbers.length)
                .map(i -> (int) (Double.doubleToRawLongBits(numbers[i / 2]) >> i % 2 * Integer.SIZE))
                .toArray();
        Pair.Both scales = p.ints(halves);
        Pair.Both table = p.floats(Pair.normal(8, 5));
        Pair.Both observations = p.floats(seen);
        Pair.Both actions =
                choices ? p.ints(integers(rows * actionSize, 0, 3)) : p.floats(Pair.normal(rows * actionSize, 2));
        Pair.Both ages = p.ints(integers(rows, 1, 12));
        Pair.@Nullable Both allowed = forbids ? p.ints(integers(3 * rows, 0, 2)) : null;
        Pair.Both encoded = p.output((long) rows * entries.size());
        p.run(b -> b.rl().encode(
                        new StepEncoding(elements.on(b), scales.on(b), table.on(b)),
                        new StepInputs(
                                rows,
                                observations.on(b),
                                actions.on(b),
                                ages.on(b),
                                later,
                                allowed == null ? null : allowed.on(b)),
                        encoded.on(b)));
        double[] sizes = Arrays.stream(encoded.expected()).map(Math::abs).toArray();
        encoded.isWithin(sizes, "encoded steps");
    }

    private static void uploads(Pair p) {
        Backend b = p.tested;
        DType[] types = {b.memory().floatType(), DType.I32, b.memory().floatType()};
        try (UploadBlock block = b.memory().allocateUploads(types, new int[] {5, 3, 2})) {
            block.put(0, 1, new float[] {9, 1, 2, 3}, 1, 3);
            block.put(1, 0, new boolean[] {false, true, false, true}, 1, 3);
            block.put(1, 1, new int[] {8, -7}, 1, 1);
            block.put(2, 0, new float[] {4, 5}, 0, 2);
            block.upload(3);
            float[] first = new float[5];
            int[] second = new int[3];
            float[] third = new float[2];
            b.memory().download(block.array(0), first, 0);
            b.memory().download(block.array(1), second, 0);
            b.memory().download(block.array(2), third, 0);
            String got = Arrays.toString(first) + Arrays.toString(second) + Arrays.toString(third);
            String wanted = "[0.0, 1.0, 2.0, 3.0, 0.0][1, -7, 1][4.0, 5.0]";
            p.require(got.equals(wanted), "uploaded " + got + ", expected " + wanted);
        }
    }
}
