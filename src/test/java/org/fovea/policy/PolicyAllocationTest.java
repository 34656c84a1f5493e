// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Once it is compiled a session allocates nothing, not even where a segment ends. */
@Tag("integration")
final class PolicyAllocationTest {
    private static final int DECISIONS = 2000;

    /** For the compiler, which on a busy machine comes late. */
    private static final long NANOS = 60_000_000_000L;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, MLP, width=64 layers=2 normalize_observations=true",
        "Pendulum-v1, MLP, action_limit=tanh",
        "MemoryChain-v0, GRU, layers=2",
        "MemoryChain-v0, ATTENTION, width=64 layers=2 window=64 critic=separate",
        "MemoryChain-v0, ATTENTION, gating=true",
        "MemoryChain-v0, ATTENTION, similarity=cosine window=16",
        "MemoryChain-v0, ATTENTION, similarity=euclidean",
        "Dispatch-v0, MLP,",
        "Catch-v0, MLP,",
    })
    void aSessionAllocatesNothing(String environment, PolicyKind kind, String settings) throws IOException {
        assumeTrue(
                ManagementFactory.getThreadMXBean() instanceof com.sun.management.ThreadMXBean,
                "the virtual machine does not tell what a thread allocates");
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        Policy policy = Policy.load(SmallRuns.train(folder.resolve("run"), environment, kind, settings));
        float[] observation = new float[policy.observationSpace().size()];
        boolean[] allowed = new boolean[policy.isMasked() ? policy.actionSpace().size() : 0];
        Arrays.fill(allowed, true);
        long allocated = Long.MAX_VALUE;
        try (PolicySession session = policy.newSession()) {
            long deadline = System.nanoTime() + NANOS;
            while (allocated > 0 && System.nanoTime() < deadline) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < DECISIONS; i++) {
                    if (i % 2 == 0) {
                        decide(session, observation, allowed);
                    } else if (allowed.length > 0) {
                        session.sample(observation, allowed);
                    } else {
                        session.sample(observation);
                    }
                    if (i % 50 == 0) {
                        session.reset();
                    }
                }
                allocated = threads.getCurrentThreadAllocatedBytes() - before;
            }
        }
        assertThat(allocated).as("bytes in %d decisions", DECISIONS).isZero();
    }

    private static void decide(PolicySession session, float[] observation, boolean[] allowed) {
        if (allowed.length > 0) {
            session.act(observation, allowed);
        } else {
            session.act(observation);
        }
    }
}
