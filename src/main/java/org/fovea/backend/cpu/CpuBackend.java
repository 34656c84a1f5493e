package org.fovea.backend.cpu;

import java.util.function.IntConsumer;
import org.fovea.backend.Backend;

/** The CPU as a device: its operations run to their end before they return. */
final class CpuBackend extends CpuRl implements Backend {
    /** Pieces of a batch: enough for the cores of a desktop, few enough that gradients add up quickly. */
    private static final int SHARDS = 8;

    CpuBackend(Kernels kernels, int threads) {
        super(kernels, new Workers(threads));
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
    public void synchronize() {
        requireOpen();
    }

    @Override
    public void close() {
        closeMemory();
        workers.close();
    }
}
