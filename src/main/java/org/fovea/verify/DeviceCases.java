// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Readback;
import org.fovea.backend.memory.Scope;

/** Memory, transfers, and the order of work. */
final class DeviceCases {
    private static final int[] LENGTHS = {1, 2, 3, 31, 97, 1031};

    private DeviceCases() {}

    static List<Case> all() {
        List<Case> cases = new ArrayList<>(List.of(
                new Case("name", "is in lower case", DeviceCases::name),
                new Case("description", "is one line", DeviceCases::description),
                new Case("memory.floatType", "is one of arithmetic", DeviceCases::floatType),
                new Case("memory.allocate", "zeros, and gives them back", DeviceCases::allocate),
                new Case("memory.openScope", "ends what it holds", DeviceCases::openScope),
                new Case("memory.liveBytes", "counts arrays", DeviceCases::liveBytes),
                new Case("memory.reservedBytes", "holds all that lives", DeviceCases::liveBytes),
                new Case("shards", "as many for as many units", DeviceCases::shards),
                new Case("shardsAtOnce", "at least one", DeviceCases::shardsAtOnce),
                new Case("forEachShard", "each once", DeviceCases::forEachShard),
                new Case("capture", "a step replayed on other numbers", DeviceCases::capture),
                new Case("seconds", "of work that is done", DeviceCases::seconds),
                new Case("synchronize", "after work", DeviceCases::synchronize)));
        for (int length : LENGTHS) {
            cases.add(new Case("memory.upload", length + " numbers", pair -> upload(pair, length)));
            cases.add(new Case("memory.download", length + " numbers", pair -> download(pair, length)));
            cases.add(new Case("memory.readback", length + " numbers", pair -> readback(pair, length)));
            cases.add(new Case("memory.copy", length + " numbers", pair -> copy(pair, length)));
            cases.add(new Case("memory.fill", length + " numbers, and a part", pair -> fill(pair, length)));
        }
        return cases;
    }

    private static void name(Pair p) {
        String name = p.tested.name();
        p.require(name.matches("[a-z][a-z0-9-]*"), "name is '" + name + "', expected a short one in lower case");
    }

    private static void description(Pair p) {
        String text = p.tested.description();
        p.require(!text.isBlank() && text.lines().count() == 1, "description is '" + text + "', expected one line");
    }

    private static void floatType(Pair p) {
        DType type = p.tested.memory().floatType();
        p.require(type == DType.F32 || type == DType.F64, "floatType is " + type + ", expected F32 or F64");
    }

    private static void allocate(Pair p) {
        for (DType type : new DType[] {p.tested.memory().floatType(), DType.I32}) {
            // Twice: the second time it is memory that was written to.
            for (int round = 0; round < 2; round++) {
                DeviceArray array = p.tested.memory().allocate(type, 97);
                try {
                    double[] values = new double[97];
                    if (type == DType.I32) {
                        int[] integers = new int[97];
                        p.tested.memory().download(array, integers, 0);
                        Arrays.setAll(values, i -> integers[i]);
                    } else {
                        p.tested.memory().download(array, values, 0);
                    }
                    p.requireEqual("allocated array of " + type, values, new double[97]);
                    p.tested.memory().fill(array, 7);
                } finally {
                    array.release();
                }
                p.require(!array.isAlive(), "an array is alive after its release");
            }
        }
    }

    private static void openScope(Pair p) {
        long before = p.tested.memory().liveBytes();
        DeviceArray array;
        try (Scope scope = p.tested.memory().openScope()) {
            array = scope.allocate(p.tested.memory().floatType(), 31);
            p.require(array.isAlive(), "an array of an open scope is not alive");
        }
        p.require(!array.isAlive(), "an array is alive after its scope");
        p.require(p.tested.memory().liveBytes() == before, "liveBytes is not what it was after a scope has closed");
    }

    private static void liveBytes(Pair p) {
        long before = p.tested.memory().liveBytes();
        DeviceArray array = p.tested.memory().allocate(p.tested.memory().floatType(), 1031);
        long with = p.tested.memory().liveBytes();
        long reserved = p.tested.memory().reservedBytes();
        array.release();
        long bytes = 1031L * p.tested.memory().floatType().bytes();
        p.require(with - before >= bytes, "liveBytes grew by " + (with - before) + ", expected at least " + bytes);
        p.require(p.tested.memory().liveBytes() == before, "liveBytes is not what it was after a release");
        p.require(reserved >= with, "reservedBytes is " + reserved + ", less than the " + with + " that live");
    }

    private static void shards(Pair p) {
        for (int units : new int[] {1, 2, 7, 64, 1000}) {
            int shards = p.tested.shards(units);
            p.require(
                    shards >= 1 && shards <= units && shards == p.tested.shards(units),
                    "shards of " + units + " units is " + shards + ", expected from 1 to " + units
                            + ", always the same");
        }
    }

    /** No more run together than that. */
    private static void shardsAtOnce(Pair p) {
        int most = p.tested.shardsAtOnce();
        AtomicInteger running = new AtomicInteger();
        AtomicInteger together = new AtomicInteger();
        p.tested.forEachShard(16, shard -> {
            together.accumulateAndGet(running.incrementAndGet(), Math::max);
            running.decrementAndGet();
        });
        p.require(
                most >= 1 && together.get() <= most, "shardsAtOnce is " + most + ", and " + together + " ran together");
    }

    private static void forEachShard(Pair p) {
        int count = Math.max(2, p.tested.shards(16));
        Pair.Both x = p.floats(Pair.normal(count * 97, 1));
        Pair.Both y = p.output(count * 97L);
        int[] runs = new int[count];
        p.run(b -> b.forEachShard(count, shard -> {
            synchronized (runs) {
                runs[shard]++;
            }
            b.memory().copy(x.on(b).slice(shard * 97L, 97), y.on(b).slice(shard * 97L, 97));
        }));
        y.isExact("copies by shard");
        p.require(
                IntStream.of(runs).allMatch(times -> times == 2),
                "forEachShard ran its shards " + Arrays.toString(runs)
                        + " times on both backends, expected twice each");
    }

    private static void capture(Pair p) {
        int rows = 13;
        int in = 7;
        int out = 5;
        Backend b = p.tested;
        DeviceArray x = b.memory().allocate(b.memory().floatType(), (long) rows * in);
        DeviceArray weight = b.memory().allocate(b.memory().floatType(), (long) in * out);
        DeviceArray y = b.memory().allocate(b.memory().floatType(), (long) rows * out);
        Runnable step = () -> {
            b.math().linear(rows, in, out, x, weight, null, Activation.TANH, y);
            b.math().softmax(rows, out, y, y);
        };
        try (CapturedStep replayed = b.capture(step)) {
            for (int round = 0; round < 3; round++) {
                b.memory().upload(Pair.normal(rows * in, round), 0, x);
                b.memory().upload(Pair.normal(in * out, 9 + round), 0, weight);
                step.run();
                double[] expected = new double[rows * out];
                b.memory().download(y, expected, 0);
                b.memory().fill(y, Double.NaN);
                replayed.replay();
                double[] found = new double[rows * out];
                b.memory().download(y, found, 0);
                p.requireEqual("replay " + round, found, expected);
            }
        } finally {
            x.release();
            weight.release();
            y.release();
        }
    }

    private static void seconds(Pair p) {
        Pair.Both x = p.floats(Pair.normal(97, 1));
        Pair.Both y = p.output(97);
        p.run(b -> {
            double seconds = b.seconds(() -> b.memory().copy(x.on(b), y.on(b)));
            p.require(seconds >= 0 && seconds < 3600, "seconds of a copy is " + seconds);
        });
        y.isExact("what was timed");
    }

    private static void synchronize(Pair p) {
        Pair.Both x = p.floats(Pair.normal(97, 1));
        Pair.Both y = p.output(97);
        p.run(b -> {
            b.memory().copy(x.on(b), y.on(b));
            b.synchronize();
        });
        y.isExact("what was waited for");
    }

    private static void upload(Pair p, int length) {
        double[] values = Pair.normal(length + 3, length);
        float[] floats = new float[length + 3];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        Pair.Both x = p.output(length);
        p.run(b -> b.memory().upload(values, 2, x.on(b)));
        x.isExact("upload of " + length + " doubles");
        p.run(b -> b.memory().upload(floats, 3, x.on(b)));
        x.isExact("upload of " + length + " floats");
        int[] integers = IntStream.range(0, length + 3).map(i -> 0x12345678 * i).toArray();
        Pair.Both y = p.integerOutput(length);
        p.run(b -> b.memory().upload(integers, 1, y.on(b)));
        y.isSameIntegers("upload of " + length + " integers");
        ByteBuffer bytes = direct(length + 2);
        IntStream.range(0, length + 2).forEach(i -> bytes.putInt(4 * i, 0x12345678 * i));
        p.run(b -> b.memory().upload(bytes.position(8), y.on(b)));
        p.require(bytes.position() == 8, "an upload moved the position of its buffer");
        y.isSameIntegers("upload of " + length + " integers from memory");
    }

    /** Memory outside of Java's heap for words of 4 bytes. */
    private static ByteBuffer direct(int words) {
        return ByteBuffer.allocateDirect(4 * words).order(ByteOrder.nativeOrder());
    }

    /** What an array held when the copy began, whatever has become of it since. */
    private static void readback(Pair p, int length) {
        double[] values = Pair.normal(length, 1);
        Pair.Both x = p.floats(values);
        try (Readback copy = p.tested.memory().readback(x.on(p.tested))) {
            for (double factor : new double[] {1, 2}) {
                double[] held =
                        Arrays.stream(values).map(value -> factor * value).toArray();
                p.tested.memory().upload(held, 0, x.on(p.tested));
                copy.start();
                p.tested.memory().fill(x.on(p.tested), 7);
                float[] found = copy.values();
                p.require(copy.isReady(), "a readback is not ready after it was waited for");
                double[] wide = new double[length];
                Arrays.setAll(wide, i -> found[i]);
                p.requireEqual("readback", wide, held);
            }
        }
    }

    private static void download(Pair p, int length) {
        double[] values = Pair.normal(length, length);
        Pair.Both x = p.floats(values);
        double[] doubles = new double[length + 2];
        p.tested.memory().download(x.on(p.tested), doubles, 2);
        p.requireEqual("download of doubles", Arrays.copyOfRange(doubles, 2, length + 2), values);
        float[] floats = new float[length + 1];
        p.tested.memory().download(x.on(p.tested), floats, 1);
        double[] wide = new double[length];
        Arrays.setAll(wide, i -> floats[i + 1]);
        p.requireEqual("download of floats", wide, values);
        int[] integers = IntStream.range(0, length).map(i -> 77777 * i - 5).toArray();
        Pair.Both y = p.ints(integers);
        int[] found = new int[length + 1];
        p.tested.memory().download(y.on(p.tested), found, 1);
        p.requireEqual(
                "download of integers",
                IntStream.range(0, length).mapToDouble(i -> found[i + 1]).toArray(),
                IntStream.of(integers).asDoubleStream().toArray());
        ByteBuffer bytes = direct(length + 1);
        p.tested.memory().download(y.on(p.tested), bytes.position(4));
        p.requireEqual(
                "download of integers to memory",
                IntStream.rangeClosed(0, length)
                        .mapToDouble(i -> bytes.getInt(4 * i))
                        .toArray(),
                IntStream.concat(IntStream.of(0), IntStream.of(integers))
                        .asDoubleStream()
                        .toArray());
    }

    private static void copy(Pair p, int length) {
        Pair.Both x = p.floats(Pair.normal(length, length));
        Pair.Both y = p.output(length);
        p.run(b -> b.memory().copy(x.on(b), y.on(b)));
        y.isExact("copy of " + length);
    }

    private static void fill(Pair p, int length) {
        Pair.Both x = p.output(length);
        int from = length / 3;
        p.run(b -> {
            b.memory().fill(x.on(b), -0.5);
            b.memory().fill(x.on(b).slice(from, length - 2L * from), 3);
        });
        x.isExact("fill of " + length);
    }
}
