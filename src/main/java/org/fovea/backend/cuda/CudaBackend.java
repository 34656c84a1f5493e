package org.fovea.backend.cuda;

import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaTimer;
import org.fovea.backend.cuda.rl.CudaRl;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.RlOps;

/** The backend on one CUDA device; each class it extends adds the kernels of one contract. */
public final class CudaBackend extends CudaRl implements Backend {

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
        return this;
    }

    @Override
    public RlOps rl() {
        return this;
    }

    private CudaBackend(CudaContext context) {
        super(context);
    }

    /** The calling thread is the only one that may use the backend. */
    static CudaBackend open(BackendSettings settings) {
        CudaContext context = new CudaContext(settings);
        try {
            return new CudaBackend(context);
        } catch (RuntimeException e) {
            context.closeAfter(e);
            throw e;
        }
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public String description() {
        return context.description() + "; " + cublas.description();
    }

    /** One: a device takes a batch whole. */
    @Override
    public int shards(int units) {
        return 1;
    }

    @Override
    public void forEachShard(int count, IntConsumer body) {
        context.enter();
        RuntimeException first = null;
        for (int shard = 0; shard < count; shard++) {
            try {
                body.accept(shard);
            } catch (RuntimeException e) {
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }

    @Override
    public CapturedStep capture(Runnable body) {
        return steps.capture(body);
    }

    /** As two events in the stream tell it. */
    @Override
    public double seconds(Runnable work) {
        context.enter();
        steps.refuse("seconds");
        try (CudaTimer timer = new CudaTimer(context)) {
            return timer.seconds(work);
        }
    }

    @Override
    public void synchronize() {
        context.enter();
        steps.refuse("synchronize");
        context.synchronize("synchronize");
    }

    @Override
    public void close() {
        context.close();
    }
}
