// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.ServiceLoader;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Attention on INDArrays on one device. What a GPU does not compute in, DOUBLE, is computed on the CPU.
 *
 * <p>Any thread may call, and calls are done one at a time: on the CPU by the thread that calls and the engine's workers, on a GPU
 * by a thread of the engine's own. Threads that are to compute side by side open an engine each. An array must not be
 * changed by another thread meanwhile.
 *
 * <p>The arguments of its methods are described at {@link AttentionPass}, which spares the copies and the forward pass where
 * several derivatives of one call are wanted.
 */
public final class AttentionEngine implements AutoCloseable {

    /** The engine of {@link FusedAttention}, opened when it is first used. */
    private static final class Shared {
        static final AttentionEngine ENGINE = open("auto");
    }

    private final Device device;
    private final BackendSettings settings;
    private @Nullable Device doubles;
    private boolean closed;

    private AttentionEngine(Device device, BackendSettings settings) {
        this.device = device;
        this.settings = settings;
    }

    /** {@link #open(String, BackendSettings)} with a thread per core, on the first device. */
    public static AttentionEngine open(String backend) {
        return open(backend, BackendSettings.DEFAULT);
    }

    /**
     * Opens an engine.
     *
     * @param backend {@code cpu}, {@code cuda}, or {@code auto} for a GPU where there is one that can be used and else the CPU
     * @throws org.fovea.backend.BackendUnavailableException if it is unavailable here; the message says why
     */
    public static AttentionEngine open(String backend, BackendSettings settings) {
        return open(
                backend,
                settings,
                ServiceLoader.load(DeviceArrays.class).stream()
                        .map(ServiceLoader.Provider::get)
                        .filter(DeviceArrays::isActive)
                        .findFirst()
                        .orElse(null));
    }

    /** The same with arrays that are known to be on a device. */
    static AttentionEngine open(String backend, BackendSettings settings, @Nullable DeviceArrays arrays) {
        return new AttentionEngine(Device.open(backend, settings, arrays), settings);
    }

    /** The engine that {@link FusedAttention} uses: {@code auto}, open until the process ends. */
    public static AttentionEngine shared() {
        return Shared.ENGINE;
    }

    /** One line on the device. */
    public String description() {
        return device.backend().description();
    }

    /** Computes a forward pass to ask for derivatives of it. */
    public AttentionPass pass(AttentionCall<INDArray> call) {
        return new AttentionPass(device(call), call, true, AttentionPlane.none());
    }

    /** A forward pass whose outputs are written to given arrays, those that are there. */
    public AttentionPass pass(AttentionCall<INDArray> call, AttentionPlane<INDArray> outputs) {
        return new AttentionPass(device(call), call, true, outputs);
    }

    /** Output and log-sum-exp, in new arrays. */
    public AttentionPlane<INDArray> forward(AttentionCall<INDArray> call) {
        CallShape shapes = new CallShape(call);
        AttentionPlane<INDArray> outputs = AttentionPlane.outputs(shapes.create("output"), shapes.create("logSumExp"));
        forward(call, outputs);
        return outputs;
    }

    /** The same in given arrays. */
    public void forward(AttentionCall<INDArray> call, AttentionPlane<INDArray> outputs) {
        new AttentionPass(device(call), call, false, outputs).close();
    }

    /** Gradients: a forward pass and {@link AttentionPass#backward(AttentionPlane)}. */
    public AttentionPlane<INDArray> backward(AttentionCall<INDArray> call, AttentionPlane<INDArray> dOutputs) {
        try (AttentionPass pass = pass(call)) {
            return pass.backward(dOutputs);
        }
    }

    /** The same in given arrays. */
    public void backward(
            AttentionCall<INDArray> call, AttentionPlane<INDArray> dOutputs, AttentionPlane<INDArray> gradients) {
        try (AttentionPass pass = pass(call)) {
            pass.backward(dOutputs, gradients);
        }
    }

    /** Tangents of the outputs: a forward pass and {@link AttentionPass#jvp(AttentionPlane)}. */
    public AttentionPlane<INDArray> jvp(AttentionCall<INDArray> call, AttentionPlane<INDArray> tangents) {
        try (AttentionPass pass = pass(call)) {
            return pass.jvp(tangents);
        }
    }

    /** The same in given arrays. */
    public void jvp(AttentionCall<INDArray> call, AttentionPlane<INDArray> tangents, AttentionPlane<INDArray> results) {
        try (AttentionPass pass = pass(call)) {
            pass.jvp(tangents, results);
        }
    }

    /** A forward pass and {@link AttentionPass#doubleBackward(AttentionPlane, AttentionPlane)}. */
    public AttentionPlane<INDArray> doubleBackward(
            AttentionCall<INDArray> call, AttentionPlane<INDArray> dOutputs, AttentionPlane<INDArray> tangents) {
        try (AttentionPass pass = pass(call)) {
            return pass.doubleBackward(dOutputs, tangents);
        }
    }

    /** The same in given arrays. */
    public void doubleBackward(
            AttentionCall<INDArray> call,
            AttentionPlane<INDArray> dOutputs,
            AttentionPlane<INDArray> tangents,
            AttentionPlane<INDArray> results) {
        try (AttentionPass pass = pass(call)) {
            pass.doubleBackward(dOutputs, tangents, results);
        }
    }

    private Device device(AttentionCall<INDArray> call) {
        return call.query().dataType() == DataType.DOUBLE ? device(DType.F64) : device;
    }

    /** The device that computes in a type. */
    synchronized Device device(DType type) {
        if (type != DType.F64 || device.backend().name().equals("cpu")) {
            return device;
        }
        if (closed) {
            throw new IllegalStateException("this AttentionEngine is closed; open another");
        }
        if (doubles == null) {
            doubles = Device.open("cpu", settings, null);
        }
        return doubles;
    }

    /** Gives the device back; passes that are open end. The shared engine can't be closed. */
    @Override
    public synchronized void close() {
        if (this == Shared.ENGINE) {
            throw new IllegalStateException("the shared AttentionEngine stays open until the process ends");
        }
        closed = true;
        device.close();
        if (doubles != null) {
            doubles.close();
        }
    }
}
