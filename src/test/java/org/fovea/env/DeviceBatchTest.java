// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.EnvironmentActions;
import org.fovea.backend.rl.StepArrays;
import org.fovea.env.games.Games;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Environments that kernels step, beside the classes that have the same rules. */
@Tag("integration")
class DeviceBatchTest {
    private static final long SEED = 0x123456789ABCDEFL;
    private static final int FIRST = 7;
    private static final int COUNT = 18;
    private static final int SHORTEST = 60;
    private static final int LONGEST = 1010;

    /** Of an observation of which sines and cosines are part; those of Java are within one unit in the last place of a double. */
    private static final double TOLERANCE = 1e-6;

    private Backend backend;

    Backend open() {
        return Simulator.open();
    }

    @BeforeEach
    void openBackend() {
        backend = open();
    }

    @AfterEach
    void closeBackend() {
        if (backend != null) {
            backend.close();
        }
    }

    /** Every built-in environment, and some with other parameters. */
    static Stream<String> names() {
        return Stream.concat(
                Games.all().stream().map(EnvironmentSpec::name),
                Stream.of(
                        "TMaze-v0:length=1",
                        "MemoryChain-v0:length=3,bits=3",
                        "MemoryChain-v0:length=1,bits=30",
                        "Catch-v0:rows=4,columns=3"));
    }

    /** Those whose rules have sines or cosines. */
    private static boolean isExact(String name) {
        return Stream.of("CartPole", "Acrobot", "Pendulum", "MountainCar").noneMatch(name::contains);
    }

    /** A batch, and random actions, which depend on the environment and the step alone. */
    private static final class Player {
        final VectorEnvironment batch;
        final StepBatch result;
        private final int[] n;
        private final int[] choices;
        private final float[] values;
        private final boolean[] allowed;
        private int step;

        Player(VectorEnvironment batch) {
            this.batch = batch;
            result = StepBatch.allocate(batch.count(), batch.observationSpace().size());
            n = Schema.of(batch.actionSpace()).choices();
            choices = new int[batch.count() * n.length];
            allowed = batch.newActionMasks();
            values = new float
                    [n.length > 0 ? 0 : batch.count() * batch.actionSpace().size()];
        }

        void play() {
            Random random = new Random(step++);
            if (allowed.length > 0) {
                batch.actionMasks(allowed);
            }
            int from = 0;
            for (int j = 0; j < choices.length; j++) {
                int part = j % n.length;
                do {
                    choices[j] = random.nextInt(n[part]);
                } while (allowed.length > 0 && !allowed[from + choices[j]]);
                from += n[part];
            }
            for (int j = 0; j < values.length; j++) {
                values[j] = random.nextFloat() * 5 - 2.5f;
            }
            batch.step(choices, values, result);
        }

        byte[] state(int i) throws IOException {
            ByteArrayOutputStream saved = new ByteArrayOutputStream();
            batch.saveState(i, new DataOutputStream(saved));
            return saved.toByteArray();
        }

        /** Puts all environments where another's are. */
        void follow(Player other) throws IOException {
            for (int i = 0; i < batch.count(); i++) {
                batch.restoreState(i, new DataInputStream(new ByteArrayInputStream(other.state(i))));
            }
            step = other.step;
        }

        boolean ended(int i) {
            return result.terminated()[i] || result.truncated()[i];
        }
    }

    private Player onHost(String name) {
        return new Player(Environments.get(name).create(COUNT));
    }

    private Player onDevice(String name) {
        return new Player(
                DeviceBatch.createAll(backend, Environments.get(name), COUNT).get(0));
    }

    @ParameterizedTest
    @MethodSource("names")
    void stepsAsTheClassInJava(String name) throws IOException {
        boolean exact = isExact(name);
        Player host = onHost(name);
        Player device = onDevice(name);
        host.batch.reset(SEED, FIRST, host.result.observations());
        device.batch.reset(SEED, FIRST, device.result.observations());
        assertThat(device.result.observations()).containsExactly(host.result.observations());
        int ended = 0;
        for (int step = 0; step < SHORTEST || (ended < 2 * COUNT && step < LONGEST); step++) {
            host.play();
            device.play();
            assertSame(host, device, exact ? 0 : TOLERANCE, step);
            for (int i = 0; i < COUNT; i++) {
                ended += host.ended(i) ? 1 : 0;
            }
            if (!exact) {
                device.follow(host);
            }
        }
        assertThat(ended).as("episodes that ended").isPositive();
        if (exact) {
            for (int i = 0; i < COUNT; i++) {
                assertThat(device.state(i)).as("state of %d", i).isEqualTo(host.state(i));
            }
        }
        device.batch.close();
    }

    private static void assertSame(Player host, Player device, double tolerance, int step) {
        StepBatch expected = host.result;
        StepBatch actual = device.result;
        assertThat(actual.terminated()).as("terminated, step %d", step).containsExactly(expected.terminated());
        assertThat(actual.truncated()).as("truncated, step %d", step).containsExactly(expected.truncated());
        assertThat(device.allowed).as("masks, step %d", step).containsExactly(host.allowed);
        assertNear("reward", actual.rewards(), expected.rewards(), 0, COUNT, tolerance, step);
        int all = expected.observations().length;
        assertNear("observation", actual.observations(), expected.observations(), 0, all, tolerance, step);
        int size = all / COUNT;
        for (int i = 0; i < COUNT; i++) {
            if (host.ended(i)) {
                assertNear(
                        "final observation",
                        actual.finalObservations(),
                        expected.finalObservations(),
                        i * size,
                        (i + 1) * size,
                        tolerance,
                        step);
            }
        }
    }

    /** Within a tolerance that is relative to 1 and the number. */
    private static void assertNear(
            String what, float[] actual, float[] expected, int from, int to, double tolerance, int step) {
        for (int j = from; j < to; j++) {
            if (Math.abs(actual[j] - expected[j]) > tolerance * (1 + Math.abs(expected[j]))) {
                assertThat(actual[j])
                        .as("%s, number %d, step %d", what, j, step)
                        .isEqualTo(expected[j]);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ProofOfMemory-v0",
                "popgym-ConcentrationEasy-v0",
                "popgym-CountRecallHard-v0",
                "EntityGrid-v0",
                "Dispatch-v0"
            })
    void aStateThatIsSavedOnEitherGoesOnOnTheOther(String name) throws IOException {
        Player host = onHost(name);
        Player device = onDevice(name);
        host.batch.reset(SEED, FIRST, host.result.observations());
        for (int step = 0; step < 17; step++) {
            host.play();
        }
        device.follow(host);
        Player copy = onHost(name);
        for (int step = 0; step < 90; step++) {
            if (step == 45) {
                copy.follow(device);
                float[] restarted = new float[host.result.observations().length];
                float[] onDevice = new float[restarted.length];
                host.batch.restart(3, restarted);
                copy.batch.restart(3, restarted);
                device.batch.restart(3, onDevice);
                assertThat(onDevice).containsExactly(restarted);
            }
            host.play();
            device.play();
            assertSame(host, device, 0, step);
            if (step >= 45) {
                copy.play();
                assertSame(copy, device, 0, step);
            }
        }
        device.batch.close();
    }

    @Test
    void ofSinesAndCosinesTheStateIsNearlyThatOfJava() throws IOException {
        for (String name : List.of("CartPole-v1", "Acrobot-v1", "Pendulum-v1", "MountainCar-v0")) {
            Player host = onHost(name);
            Player device = onDevice(name);
            host.batch.reset(SEED, FIRST, host.result.observations());
            device.follow(host);
            host.play();
            device.play();
            double[] expected = doubles(host);
            double[] actual = doubles(device);
            for (int j = 0; j < expected.length; j++) {
                assertThat(actual[j]).as("%s, number %d", name, j).isCloseTo(expected[j], within(4e-15));
            }
            device.batch.close();
        }
    }

    /** The state variables of all environments, which are doubles, behind what is common to all. */
    private static double[] doubles(Player player) throws IOException {
        List<Double> all = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(player.state(i)));
            in.readUTF();
            in.skipBytes(Long.BYTES + Integer.BYTES + 3 * Integer.BYTES + Integer.BYTES + 2 * Long.BYTES);
            while (in.available() > 0) {
                assertThat(in.readInt()).as("width").isOne();
                all.add(in.readDouble());
            }
        }
        return all.stream().mapToDouble(Double::doubleValue).toArray();
    }

    @Test
    void aStepIsCapturedOnceAndReplayed() {
        Player host = onHost("ProofOfMemory-v0");
        DeviceBatch device = (DeviceBatch) onDevice("ProofOfMemory-v0").batch;
        host.batch.reset(SEED, FIRST, host.result.observations());
        device.reset(SEED, FIRST, new float[COUNT * 3]);
        DeviceArray choices = allocate(DType.I32, COUNT);
        DeviceArray observations = allocate(DType.F32, COUNT * 3);
        StepArrays<DeviceArray> arrays = new StepArrays<>(
                COUNT,
                3,
                observations,
                allocate(DType.F32, COUNT),
                allocate(DType.I32, COUNT),
                allocate(DType.I32, COUNT),
                allocate(DType.F32, COUNT * 3),
                null);
        device.upload();
        try (CapturedStep step =
                backend.capture(() -> device.launch(new EnvironmentActions<>(1, choices, null, false), arrays))) {
            float[] seen = new float[COUNT * 3];
            for (int k = 0; k < 20; k++) {
                step.replay();
                device.stepped();
                host.batch.step(new int[COUNT], new float[0], host.result);
                backend.memory().download(observations, seen, 0);
                assertThat(seen).containsExactly(host.result.observations());
            }
        }
        device.check();
        device.close();
    }

    private DeviceArray allocate(DType type, int length) {
        return backend.memory().allocate(type, length);
    }

    @Test
    void numbersThatAreNotFiniteAreNamed() {
        DeviceBatch device = (DeviceBatch) onDevice("Pendulum-v1").batch;
        StepBatch result = StepBatch.allocate(COUNT, 3);
        device.reset(SEED, FIRST, result.observations());
        float[] values = new float[COUNT];
        device.step(new int[0], values, result);
        device.check();
        values[5] = Float.NaN;
        device.step(new int[0], values, result);
        values[2] = Float.NaN;
        device.step(new int[0], values, result);
        assertThatThrownBy(device::check)
                .isInstanceOf(EnvironmentException.class)
                .hasMessage("Pendulum-v1: environment 12, step 2 on the device: the reward is not finite");
        device.reset(SEED, FIRST, result.observations());
        device.upload();
        device.check();
        device.close();
    }

    /** Says of itself that a kernel plays it, whose state is another. */
    private static final class Mistaken extends BatchedEnvironment {
        private record Constants(int length) {}

        Mistaken(int count) {
            super(count, new Space.Box(2, 0, 1), new Space.Discrete(2), NO_TIME_LIMIT);
            newDoubles();
        }

        @Override
        protected DeviceForm deviceForm() {
            return new DeviceForm("t_maze", new Constants(3));
        }

        @Override
        protected void begin(int i, float[] observations) {
            Arrays.fill(observations, 0);
        }

        @Override
        protected void advance(int[] choices, float[] values, StepBatch result) {}
    }

    @Test
    void aKernelWithAnotherStateIsRefused() {
        EnvironmentSpec spec = EnvironmentSpec.ofBatches("Mistaken-v0", "is mistaken", Mistaken::new);
        VectorEnvironment device = DeviceBatch.createAll(backend, spec, 2).get(0);
        StepBatch result = StepBatch.allocate(2, 2);
        device.reset(1, 0, result.observations());
        assertThatThrownBy(() -> device.step(new int[2], new float[0], result))
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("Mistaken-v0")
                .hasMessageContaining("t_maze have 4 and 4 bytes, the class in Java has 8 and 4");
        device.close();
    }

    @Test
    void mistakesOfTheCallerAreNamed() {
        Player device = onDevice("CartPole-v1");
        assertThatThrownBy(device::play).hasMessageContaining("reset");
        device.batch.reset(SEED, FIRST, device.result.observations());
        device.choices[1] = 2;
        assertThatThrownBy(() -> device.batch.step(device.choices, device.values, device.result))
                .hasMessageContaining("choice 2 of environment " + (FIRST + 1));
        assertThatThrownBy(() -> DeviceBatch.createAll(backend, Environments.get("CartPole-v1+time_limit=9"), 2))
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("CartPole-v1+time_limit=9 has no device form");
        device.batch.close();
    }

    @Test
    void allMemoryIsGivenBack() {
        long before = backend.memory().liveBytes();
        VectorEnvironment device = onDevice("popgym-CountRecallEasy-v0").batch;
        assertThat(backend.memory().liveBytes()).isGreaterThan(before);
        device.close();
        assertThat(backend.memory().liveBytes()).isEqualTo(before);
    }
}
