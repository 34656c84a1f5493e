// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import java.util.Optional;
import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.DeviceCalls;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.cuda.attention.CudaAttention;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaSharing;
import org.fovea.backend.cuda.driver.CudaTimer;
import org.fovea.backend.cuda.math.Cublas;
import org.fovea.backend.cuda.math.CudaMath;
import org.fovea.backend.cuda.rl.CudaEnvironments;
import org.fovea.backend.cuda.rl.CudaRl;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.DeviceSharing;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.EnvironmentOps;
import org.fovea.backend.rl.RlOps;

/** The backend on one CUDA device. */
final class CudaBackend implements Backend {
    private final CudaContext context;
    private final CudaMemory memory;
    private final DeviceSharing sharing;
    private final Cublas cublas;
    private final MathOps math;
    private final AttentionOps attention;
    private final RlOps rl;
    private final EnvironmentOps environments;

    private CudaBackend(CudaContext context) {
        this.context = context;
        memory = new CudaMemory(context);
        sharing = new CudaSharing(context, memory);
        CudaKernels kernels = new CudaKernels(context);
        cublas = Cublas.open(context);
        math = new CudaMath(context, memory, kernels, cublas);
        attention = new CudaAttention(context, memory, kernels);
        rl = new CudaRl(memory, kernels);
        environments = new CudaEnvironments(memory, kernels);
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
    public EnvironmentOps environments() {
        return environments;
    }

    @Override
    public Optional<DeviceSharing> sharing() {
        return Optional.of(sharing);
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
        return memory.steps().capture(body);
    }

    /** As two events in the stream tell it. */
    @Override
    public double seconds(Runnable work) {
        context.enter();
        memory.steps().refuse("seconds");
        try (CudaTimer timer = new CudaTimer(context)) {
            return timer.seconds(work);
        }
    }

    @Override
    public void synchronize() {
        context.enter();
        memory.steps().refuse("synchronize");
        context.synchronize("synchronize");
    }

    @Override
    public void measureIdleTime() {
        context.enter();
        memory.steps().refuse("measureIdleTime");
        context.measureIdleTime();
    }

    @Override
    public DeviceCalls calls() {
        return context.calls();
    }

    @Override
    public void close() {
        context.close();
    }
}
