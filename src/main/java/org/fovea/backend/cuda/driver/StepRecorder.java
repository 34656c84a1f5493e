// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuGraphDestroy;
import static jcuda.driver.JCudaDriver.cuGraphExecDestroy;
import static jcuda.driver.JCudaDriver.cuGraphInstantiate;
import static jcuda.driver.JCudaDriver.cuGraphLaunch;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstreamCaptureMode;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.DeviceCalls;
import org.fovea.backend.EagerSteps;
import org.fovea.backend.memory.DeviceException;

/** Records steps as CUDA graphs, and holds those that are open; or where the settings want no graphs, lets them run eagerly. */
public final class StepRecorder {
    private static final Logger LOGGER = System.getLogger(StepRecorder.class.getName());

    private final CudaContext context;
    private final DevicePool pool;
    private final List<GraphStep> open = new ArrayList<>();
    private final IdentityHashMap<DeviceBlock, CudaArray> used = new IdentityHashMap<>();
    private final EagerSteps eager = new EagerSteps();
    private boolean recording;

    /** Whether the driver has refused to make a graph: then it is not asked again. */
    private boolean refused;

    StepRecorder(CudaContext context, DevicePool pool) {
        this.context = context;
        this.pool = pool;
        context.owns("cuGraphExecDestroy", this::closeAll);
    }

    /** Refuses a call that has no place in a step. */
    public void refuse(String call) {
        eager.refuse(call);
        if (recording) {
            throw new IllegalStateException(call + " is not possible in a captured step; do it before or after");
        }
    }

    /** Notes an operand. Those of the step's own scopes end with the recording and need no watching. */
    void uses(CudaArray array) {
        if (recording && !array.block.inArena) {
            used.put(array.block, array);
        }
    }

    public CapturedStep capture(Runnable body) {
        context.enter();
        refuse("capture");
        return refused || context.settings().graph() == BackendSettings.Graph.OFF ? eager.capture(body) : record(body);
    }

    private CapturedStep record(Runnable body) {
        // Relaxed: the pool may ask the driver for memory while the stream captures.
        int begun = cuStreamBeginCapture(context.stream(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED);
        if (begun != CUresult.CUDA_SUCCESS) {
            return eagerAfter(context.failure(begun, "cuStreamBeginCapture", "capture"), body);
        }
        recording = true;
        context.capturing(true);
        pool.enterArena();
        DeviceCalls before = context.calls();
        CUgraph graph = new CUgraph();
        try {
            body.run();
        } catch (RuntimeException | Error e) {
            if (end(graph) == CUresult.CUDA_SUCCESS) {
                cuGraphDestroy(graph);
            }
            used.clear();
            pool.releaseArena();
            throw e;
        }
        try {
            context.recorded(before);
            context.check(end(graph), "cuStreamEndCapture", "capture");
            GraphStep step = new GraphStep(instantiate(graph), used.values().toArray(new CudaArray[0]));
            open.add(step);
            return step;
        } catch (DeviceException e) {
            pool.releaseArena();
            return eagerAfter(e, body);
        } finally {
            used.clear();
        }
    }

    /** A step that the driver would not make a graph of runs eagerly, like all later ones. */
    private CapturedStep eagerAfter(DeviceException refusal, Runnable body) {
        if (context.isLost()) {
            throw refusal;
        }
        refused = true;
        LOGGER.log(
                Level.WARNING,
                "the driver makes no graph of a step, so kernels are launched one by one, as with graph=off: {0}",
                refusal.getMessage());
        return eager.capture(body);
    }

    private int end(CUgraph graph) {
        recording = false;
        context.capturing(false);
        pool.leaveArena();
        return cuStreamEndCapture(context.stream(), graph);
    }

    private CUgraphExec instantiate(CUgraph graph) {
        CUgraphExec executable = new CUgraphExec();
        int result = cuGraphInstantiate(executable, graph, 0);
        cuGraphDestroy(graph);
        context.check(result, "cuGraphInstantiate", "capture");
        return executable;
    }

    /** Closes every step; returns the first error. */
    private int closeAll() {
        int first = CUresult.CUDA_SUCCESS;
        for (GraphStep step : open) {
            step.closed = true;
            int result = cuGraphExecDestroy(step.executable);
            first = first == CUresult.CUDA_SUCCESS ? result : first;
        }
        open.clear();
        return first;
    }

    private final class GraphStep implements CapturedStep {
        private final CUgraphExec executable;
        private final CudaArray[] arrays;
        private boolean closed;

        /** @param arrays operands that are not of the step's own scopes */
        GraphStep(CUgraphExec executable, CudaArray[] arrays) {
            this.executable = executable;
            this.arrays = arrays;
        }

        @Override
        public void replay() {
            context.enter();
            refuse("replay");
            if (closed) {
                throw new IllegalStateException("this captured step is closed");
            }
            for (CudaArray array : arrays) {
                if (!array.isAlive()) {
                    throw new IllegalStateException("replay: the step uses " + array + ", which was released or whose"
                            + " scope was closed since it was captured");
                }
            }
            context.issuing();
            int result = cuGraphLaunch(executable, context.stream());
            context.launched("a captured step");
            if (result != CUresult.CUDA_SUCCESS) {
                throw context.failure(result, "cuGraphLaunch", "replay");
            }
        }

        @Override
        public void close() {
            if (!closed && context.isUsable()) {
                context.enter();
                refuse("close");
                closed = true;
                open.remove(this);
                pool.releaseArena();
                context.check(cuGraphExecDestroy(executable), "cuGraphExecDestroy", "close");
            }
        }
    }
}
