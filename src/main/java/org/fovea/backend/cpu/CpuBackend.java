// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.cpu.attention.CpuAttention;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuMemory;
import org.fovea.backend.cpu.memory.RecordedSteps;
import org.fovea.backend.cpu.primitives.CpuMath;
import org.fovea.backend.cpu.primitives.CpuRl;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.RlOps;

/** The CPU as a device: its operations run to their end before they return. */
public final class CpuBackend implements Backend {
    /** Pieces of a batch: enough for the cores of a desktop, few enough that gradients add up quickly. */
    private static final int SHARDS = 8;

    private final RecordedSteps steps;
    private final CpuMemory memory;
    private final Kernels kernels;
    private final Workers workers;
    private final MathOps math;
    private final AttentionOps attention;
    private final RlOps rl;

    /** A backend that records steps where that is asked for. */
    public CpuBackend(Kernels kernels, int threads) {
        this(kernels, threads, true);
    }

    /** @param records whether steps are ever recorded, or always run their bodies anew */
    CpuBackend(Kernels kernels, int threads, boolean records) {
        steps = new RecordedSteps(records);
        memory = new CpuMemory(steps);
        this.kernels = kernels;
        workers = new Workers(threads);
        math = new CpuMath(memory, kernels, workers);
        attention = new CpuAttention(memory, kernels, workers);
        rl = new CpuRl(memory, kernels, workers);
    }

    @Override
    public Memory memory() {
        return memory;
    }

    @Override
    public MathOps math() {
        return math;
    }

    @Override
    public AttentionOps attention() {
        return attention;
    }

    @Override
    public RlOps rl() {
        return rl;
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return "cpu: " + kernels.description() + ", " + workers.threads()
                + (workers.threads() == 1 ? " thread" : " threads");
    }

    @Override
    public int shards(int units) {
        return Math.min(units, SHARDS);
    }

    @Override
    public int shardsAtOnce() {
        return workers.threads();
    }

    @Override
    public void forEachShard(int count, IntConsumer body) {
        memory.requireOpen();
        steps.cannotRecord();
        workers.run(count, body);
    }

    @Override
    public CapturedStep capture(Runnable body) {
        memory.requireOpen();
        return steps.capture(body);
    }

    @Override
    public CapturedStep record(Runnable body) {
        memory.requireOpen();
        return steps.record(body, memory);
    }

    @Override
    public void synchronize() {
        memory.requireOpen();
        steps.refuse("synchronize");
    }

    @Override
    public void close() {
        memory.close();
        workers.close();
    }
}
