// SPDX-License-Identifier: Apache-2.0
package org.fovea.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The measured calls launch, and make no garbage, compiled or not: the host has no pauses between two launches. */
@Tag("integration")
class LaunchBenchmarkTest {
    private static final int CALLS = 300;

    @Test
    void launchesMakeNoGarbage() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        LaunchBenchmark benchmark = new LaunchBenchmark();
        try (Backend backend = Simulator.open()) {
            benchmark.use(backend);
            Map<String, Runnable> bodies = Map.of(
                    "map", benchmark::map,
                    "zip", benchmark::zip,
                    "gemm", benchmark::gemm,
                    "layerNorm", benchmark::layerNorm,
                    "fill", benchmark::fill,
                    "copy", benchmark::copy,
                    "replay", benchmark::replay);
            bodies.forEach((name, body) -> {
                // Twice: classes are loaded and plans are made by the first calls.
                repeat(body);
                long before = threads.getCurrentThreadAllocatedBytes();
                repeat(body);
                long bytes = threads.getCurrentThreadAllocatedBytes() - before;
                assertThat(bytes).as("bytes of %d calls of %s", CALLS, name).isLessThan(CALLS);
                backend.synchronize();
            });
        }
    }

    private static void repeat(Runnable body) {
        for (int i = 0; i < CALLS; i++) {
            body.run();
        }
    }
}
