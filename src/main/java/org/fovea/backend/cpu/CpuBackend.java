package org.fovea.backend.cpu;

import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.cpu.attention.CpuAttention;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.primitives.CpuRl;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.RlOps;

/** The CPU as a device: its operations run to their end before they return. */
public final class CpuBackend extends CpuRl implements Backend {

    @Override
    public Memory memory() {
        return this;
    }

    @Override
    public MathOps math() {
        return this;
    }

    @Override
    public AttentionOps attention() {
        return attention;
    }

    @Override
    public RlOps rl() {
        return this;
    }

    /** Pieces of a batch: enough for the cores of a desktop, few enough that gradients add up quickly. */
    private static final int SHARDS = 8;

    private final CpuAttention attention;

    public CpuBackend(Kernels kernels, int threads) {
        super(kernels, new Workers(threads));
        attention = new CpuAttention(this, kernels, workers);
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
    public void forEachShard(int count, IntConsumer body) {
        requireOpen();
        workers.run(count, body);
    }

    @Override
    public CapturedStep capture(Runnable body) {
        requireOpen();
        return steps.capture(body);
    }

    @Override
    public void synchronize() {
        requireOpen();
        steps.refuse("synchronize");
    }

    @Override
    public void close() {
        closeMemory();
        workers.close();
    }
}
