// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bit for bit the same results on any number of threads, in operations that are cut and in shards. */
@Tag("vectors")
class ThreadIndependenceTest {
    private static final int ROWS = 613;
    private static final int WIDTH = 97;
    private static final int ACTIONS = 5;

    @ParameterizedTest
    @ValueSource(ints = {2, 5})
    void resultsDoNotDependOnThreads(int threads) {
        List<float[]> alone = work(1);
        for (int repetition = 0; repetition < 3; repetition++) {
            List<float[]> together = work(threads);
            for (int i = 0; i < alone.size(); i++) {
                assertThat(together.get(i)).as("result %d", i).isEqualTo(alone.get(i));
            }
        }
    }

    private static List<float[]> work(int threads) {
        List<float[]> results = new ArrayList<>();
        try (CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, threads)) {
            DeviceArray x = uniform(backend, 1, ROWS * WIDTH);
            DeviceArray weight = uniform(backend, 2, WIDTH * WIDTH);
            DeviceArray bias = uniform(backend, 3, WIDTH);
            DeviceArray y = backend.memory().allocate(DType.F32, ROWS * WIDTH);
            backend.math().linear(ROWS, WIDTH, WIDTH, x, weight, bias, Activation.TANH, y);
            results.add(contents(backend, y));
            DeviceArray gradient = backend.memory().allocate(DType.F32, WIDTH * WIDTH);
            backend.math().gemm(Gemm.dense(true, false, WIDTH, WIDTH, ROWS), x, y, gradient);
            results.add(contents(backend, gradient));

            int parameters = 100_003;
            DeviceArray theta = uniform(backend, 4, parameters);
            DeviceArray first = uniform(backend, 5, parameters);
            DeviceArray second = uniform(backend, 6, parameters);
            DeviceArray state = backend.memory().allocate(DType.F32, AdamSettings.STATE_SIZE);
            backend.memory().fill(state.slice(AdamSettings.LEARNING_RATE, 1), 0.01);
            AdamSettings settings = new AdamSettings(0.9f, 0.999f, 1e-5f, 0.5f);
            backend.rl().adam(settings, theta, uniform(backend, 7, parameters), null, first, second, state);
            results.add(contents(backend, theta));
            results.add(contents(backend, state));

            int shards = backend.shards(ROWS);
            DeviceArray logits = uniform(backend, 8, ROWS * ACTIONS);
            DeviceArray taken = backend.memory().allocate(DType.I32, ROWS);
            DeviceArray dLogits = backend.memory().allocate(DType.F32, ROWS * ACTIONS);
            DeviceArray dValues = backend.memory().allocate(DType.F32, ROWS);
            DeviceArray statistics = backend.memory().allocate(DType.F32, shards * PpoLoss.STATISTICS);
            DeviceArray rowValues = uniform(backend, 9, ROWS);
            PpoLoss loss = new PpoLoss(0.01f, 0.5f, 0.2f, 1f / ROWS);
            DeviceArray clip = backend.memory().allocate(DType.F32, 1);
            backend.memory().fill(clip, 0.2);
            backend.forEachShard(shards, shard -> {
                int from = shard * ROWS / shards;
                int rows = (shard + 1) * ROWS / shards - from;
                try (Scope scope = backend.memory().openScope()) {
                    DeviceArray returns = scope.allocate(DType.F32, rows);
                    backend.math().uniform(new RandomRange(1, 10, from), returns);
                    DeviceArray values = rowValues.slice(from, rows);
                    backend.rl()
                            .ppoCategorical(
                                    loss,
                                    new PpoBatch<>(
                                            rows, taken.slice(from, rows), values, values, values, returns, clip),
                                    1,
                                    ACTIONS,
                                    logits.slice(from * ACTIONS, rows * ACTIONS),
                                    values,
                                    dLogits.slice(from * ACTIONS, rows * ACTIONS),
                                    dValues.slice(from, rows),
                                    statistics.slice(shard * PpoLoss.STATISTICS, PpoLoss.STATISTICS));
                }
            });
            results.add(contents(backend, dLogits));
            results.add(contents(backend, dValues));
            results.add(contents(backend, statistics));
        }
        return results;
    }

    private static DeviceArray uniform(CpuBackend backend, int stream, int length) {
        DeviceArray array = backend.memory().allocate(DType.F32, length);
        backend.math().uniform(new RandomRange(42, stream, 0), array);
        return array;
    }

    private static float[] contents(CpuBackend backend, DeviceArray array) {
        float[] target = new float[(int) array.length()];
        backend.memory().download(array, target, 0);
        return target;
    }
}
