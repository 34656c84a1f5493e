// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.memory.Readback;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.rl.learner.LossStatistics;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Epochs that end by the KL divergence, whether the host sees it at once or an epoch late. */
class EarlyStopTest {
    private static final int EPOCHS = 4;
    private static final int MINIBATCHES = 2;

    private static RunSpec spec(int epochs, double targetKl) {
        Map<String, String> settings = Map.of(
                "epochs", "" + epochs,
                "minibatches", "" + MINIBATCHES,
                "rollout_steps", "16",
                "learning_rate", "0.003",
                "target_kl", "" + targetKl);
        return Runs.small("CartPole-v1", PolicyKind.of("mlp"), 1024, settings)
                .withEnvironments(4)
                .withSeed(4);
    }

    /** What is left of a run, to the last bit, and what its last update reported. */
    private record Left(float[] parameters, Map<String, float[]> optimizer, LossStatistics loss, double gradientNorm) {
        int epochs() {
            return (int) optimizer.get("adam.state")[AdamSettings.STEP] / MINIBATCHES;
        }

        void isSameAs(Left other) {
            assertThat(parameters).isEqualTo(other.parameters);
            assertThat(optimizer.keySet()).isEqualTo(other.optimizer.keySet());
            optimizer.forEach((name, values) -> assertThat(values).as(name).isEqualTo(other.optimizer.get(name)));
            assertThat(loss).isEqualTo(other.loss);
            assertThat(gradientNorm).isEqualTo(other.gradientNorm);
        }
    }

    private static Left play(Backend backend, RunSpec spec, int iterations) {
        try (OpenRun run = OpenRun.start(backend, spec)) {
            var update = run.iterate(0);
            for (int i = 1; i < iterations; i++) {
                update = run.iterate(i);
            }
            Map<String, float[]> optimizer = new TreeMap<>();
            for (Map.Entry<String, DeviceArray> state : run.learner.persistent().entrySet()) {
                float[] values = new float[(int) state.getValue().length()];
                backend.memory().download(state.getValue(), values, 0);
                optimizer.put(state.getKey(), values);
            }
            return new Left(run.parameters(), optimizer, update.loss(), update.gradientNorm());
        }
    }

    /** Limits that the first, second and third epoch are the first to pass, and one that none does. */
    private static List<Double> limits(Backend backend) {
        List<Double> limits = new ArrayList<>();
        double before = 0;
        double summed = 0;
        for (int epochs = 1; epochs <= EPOCHS; epochs++) {
            double sum = epochs * play(backend, spec(epochs, 0), 1).loss.approximateKl();
            double ofEpoch = sum - summed;
            assertThat(ofEpoch).as("divergence of epoch %d", epochs).isGreaterThan(1.2 * before);
            limits.add((before + ofEpoch) / 2);
            before = ofEpoch;
            summed = sum;
        }
        limits.set(EPOCHS - 1, 2 * before);
        return limits;
    }

    private static void stopsAsIfItHadNoMoreEpochs(Backend backend) {
        Backend late = lateToTheHost(backend);
        int stoppingAfter = 1;
        for (double limit : limits(backend)) {
            Left left = play(backend, spec(EPOCHS, limit), 1);
            assertThat(left.epochs()).isEqualTo(stoppingAfter);
            left.isSameAs(play(backend, spec(stoppingAfter, 0), 1));
            play(late, spec(EPOCHS, limit), 1).isSameAs(left);
            stoppingAfter++;
        }
    }

    @Test
    void stopsAsIfItHadNoMoreEpochs() {
        try (Backend backend = Runs.cpu(1)) {
            stopsAsIfItHadNoMoreEpochs(backend);
        }
    }

    @Nested
    @Tag("integration")
    class OnAGpu {
        @Test
        void stopsAsIfItHadNoMoreEpochs() {
            Simulator.assumeSimulated();
            try (Backend backend = Simulator.open()) {
                EarlyStopTest.stopsAsIfItHadNoMoreEpochs(backend);
            }
        }
    }

    @Test
    void anEpochThatWasIssuedInVainLeavesNothingToLaterUpdates() {
        try (Backend backend = Runs.cpu(1)) {
            double limit = limits(backend).get(1);
            Left left = play(backend, spec(EPOCHS, limit), 5);
            assertThat(left.epochs()).as("epochs of five updates").isBetween(5, 5 * EPOCHS - 1);
            play(lateToTheHost(backend), spec(EPOCHS, limit), 5).isSameAs(left);
        }
    }

    /** The same backend, of which no readback is ready before it is waited for. */
    private static Backend lateToTheHost(Backend backend) {
        Memory memory = with(
                Memory.class,
                backend.memory(),
                "readback",
                readback -> with(Readback.class, (Readback) readback, "isReady", ready -> false));
        return with(Backend.class, backend, "memory", same -> memory);
    }

    private interface Change {
        Object of(Object result);
    }

    /** {@code target} with another result of one method. */
    private static <T> T with(Class<T> type, T target, String changed, Change change) {
        Object proxy =
                Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
                    Object result = invoke(target, method, arguments);
                    return method.getName().equals(changed) ? change.of(result) : result;
                });
        return type.cast(proxy);
    }

    private static Object invoke(Object target, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
