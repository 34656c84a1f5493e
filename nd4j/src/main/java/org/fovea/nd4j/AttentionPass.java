// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * A forward pass that has been computed, and what its derivatives need of it on the device: query, key and value are copied there
 * once for all of them. Close it when no more derivatives are wanted; closing its {@link AttentionEngine} ends it too.
 *
 * <p>What was given to the pass may be changed, closed, or end with its workspace afterwards. Only where ND4J works on the
 * same GPU must arrays outside of workspaces stay as they are while the pass is open, since they are used where they lie.
 *
 * <p>New arrays are made as ND4J's operations make them: in the workspace that is open on the calling thread, if there is
 * one. In memory they lie in the order in which query, key and value do. In given arrays, views among them, results are written
 * in place; what is null there is not wanted. A pass may be used by any thread, one at a time.
 */
public final class AttentionPass implements AutoCloseable {
    private final Device device;
    private final CallShape shapes;
    private final boolean hasBias;
    private final boolean hasSink;

    /** The arrays that the call was made of: memory that is borrowed must not be given back meanwhile. */
    private final AttentionCall<INDArray> asked;

    private final Scope scope;
    private final AttentionCall<DeviceArray> call;
    private final AttentionOutputs<DeviceArray> out;
    private boolean closed;

    /** What comes of the forward pass on the device. */
    private record Computed(Scope scope, AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> out) {}

    /**
     * Computes the forward pass.
     *
     * @param kept whether derivatives may be asked for after the caller has got the outputs
     * @param outputs written, where they are given
     */
    AttentionPass(Device device, AttentionCall<INDArray> asked, boolean kept, AttentionPlane<INDArray> outputs) {
        this.device = device;
        this.asked = asked;
        shapes = new CallShape(asked);
        hasBias = asked.bias() != null;
        hasSink = asked.sink() != null;
        asked.spec().requireFit(shapes.rowType());
        Operands operands = new Operands(device);
        AttentionCall<Operands.Operand> given =
                asked.mapNamed((name, array) -> operands.read(shapes.view("", name, array), kept));
        AttentionPlane<Operands.Operand> wanted = written(operands, "", outputs.ofOutputs());
        Computed computed = device.call(() -> forward(operands, given, wanted, kept));
        operands.finish();
        scope = computed.scope;
        call = computed.call;
        out = computed.out;
    }

    private Computed forward(
            Operands operands,
            AttentionCall<Operands.Operand> given,
            AttentionPlane<Operands.Operand> wanted,
            boolean kept) {
        AttentionOps ops = ops();
        Scope opened = device.backend().memory().openScope();
        try {
            operands.begin();
            AttentionCall<DeviceArray> arrays = withLayout(given.map(x -> operands.onDevice(x, opened)));
            AttentionShape shape = arrays.shape();
            // A pass that is kept must not read what it gave away.
            AttentionPlane<DeviceArray> targets =
                    kept ? AttentionPlane.none() : wanted.map(x -> operands.onDevice(x, opened));
            AttentionOutputs<DeviceArray> results = new AttentionOutputs<>(
                    or(targets.output(), opened, shapes.rowType(), shape.outputSize()),
                    or(targets.logSumExp(), opened, shapes.wideType(), shape.logSumExpSize()));
            if (kept) {
                results = results.withState(ops, arrays, opened::allocate);
            }
            ops.forward(arrays, results);
            if (kept) {
                copyOutputs(operands, wanted, results, opened);
            }
            operands.end();
            return new Computed(opened, arrays, results);
        } catch (RuntimeException | Error e) {
            opened.close();
            throw e;
        }
    }

    private void copyOutputs(
            Operands operands,
            AttentionPlane<Operands.Operand> wanted,
            AttentionOutputs<DeviceArray> results,
            Scope opened) {
        if (wanted.output() != null) {
            device.backend().memory().copy(results.output(), operands.onDevice(wanted.output(), opened));
        }
        if (wanted.logSumExp() != null) {
            device.backend().memory().copy(results.logSumExp(), operands.onDevice(wanted.logSumExp(), opened));
        }
    }

    private AttentionCall<DeviceArray> withLayout(AttentionCall<DeviceArray> arrays) {
        AttentionSpec spec = arrays.spec();
        return arrays.withRows(shapes.onDevice(), spec, arrays.query(), arrays.key());
    }

    private static DeviceArray or(@Nullable DeviceArray array, Scope scope, DType type, long length) {
        return array == null ? scope.allocate(type, length) : array;
    }

    /** Output and log-sum-exp, the latter [batch, heads, queries]. */
    public AttentionPlane<INDArray> outputs() {
        AttentionPlane<INDArray> outputs = AttentionPlane.outputs(shapes.create("output"), shapes.create("logSumExp"));
        outputs(outputs);
        return outputs;
    }

    /** The same in given arrays. */
    public void outputs(AttentionPlane<INDArray> results) {
        Work work = new Work();
        AttentionPlane<Operands.Operand> wanted = work.written("", results.ofOutputs());
        work.run(inner -> copyOutputs(work.operands, wanted, out, inner));
    }

    /**
     * Gradients of query, key and value, and of bias and sink where there are any.
     *
     * @param dOutputs of the output and, if it is not zero, of the log-sum-exp; inputs are not read
     */
    public AttentionPlane<INDArray> backward(AttentionPlane<INDArray> dOutputs) {
        AttentionPlane<INDArray> gradients = createInputs();
        backward(dOutputs, gradients);
        return gradients;
    }

    /** The same in given arrays. */
    public void backward(AttentionPlane<INDArray> dOutputs, AttentionPlane<INDArray> gradients) {
        Work work = new Work();
        AttentionPlane<Operands.Operand> given = work.read("gradient of ", dOutputs.ofOutputs());
        AttentionPlane<Operands.Operand> wanted = work.written("gradient of ", gradients.ofInputs());
        work.run(inner -> ops().backward(call, out, work.on(given, inner), withRows(work.on(wanted, inner), inner)));
    }

    /**
     * The tangents of output and log-sum-exp, the Jacobian-vector product.
     *
     * @param tangents of the inputs; what is null is zero
     */
    public AttentionPlane<INDArray> jvp(AttentionPlane<INDArray> tangents) {
        AttentionPlane<INDArray> results = AttentionPlane.outputs(shapes.create("output"), shapes.create("logSumExp"));
        jvp(tangents, results);
        return results;
    }

    /** The same in given arrays. */
    public void jvp(AttentionPlane<INDArray> tangents, AttentionPlane<INDArray> results) {
        Work work = new Work();
        AttentionPlane<Operands.Operand> given = work.read("tangent of ", tangents.ofInputs());
        AttentionPlane<Operands.Operand> wanted = work.written("tangent of ", results.ofOutputs());
        work.run(inner -> ops().tangent(
                        call,
                        out,
                        withZeros(work.on(given, inner), inner),
                        withOutputs(work.on(wanted, inner), inner)));
    }

    /**
     * The gradient of {@link #backward}: given gradients for the gradients of the inputs, those for the gradient of the output
     * and of the log-sum-exp, and for the inputs, by the names of what they belong to. This is also the tangent of the gradient,
     * its symmetric second derivative: a Hessian-vector product.
     *
     * @param dOutputs as for {@link #backward}
     * @param tangents of the inputs' gradients, or of the inputs; and, as tangents, of output and log-sum-exp's gradients. What
     *     is null is zero
     */
    public AttentionPlane<INDArray> doubleBackward(
            AttentionPlane<INDArray> dOutputs, AttentionPlane<INDArray> tangents) {
        AttentionPlane<INDArray> results =
                createInputs().withOutputs(shapes.create("output"), shapes.create("logSumExp"));
        doubleBackward(dOutputs, tangents, results);
        return results;
    }

    /** The same in given arrays. */
    public void doubleBackward(
            AttentionPlane<INDArray> dOutputs, AttentionPlane<INDArray> tangents, AttentionPlane<INDArray> results) {
        Work work = new Work();
        AttentionPlane<Operands.Operand> value = work.read("gradient of ", dOutputs.ofOutputs());
        AttentionPlane<Operands.Operand> given = work.read("tangent of ", tangents);
        AttentionPlane<Operands.Operand> wanted = work.written("tangent of the gradient of ", results);
        work.run(inner -> ops().backwardTangent(
                        call,
                        out,
                        work.on(value, inner),
                        withZeros(work.on(given, inner), inner),
                        withOutputs(withRows(work.on(wanted, inner), inner), inner)));
    }

    private AttentionOps ops() {
        return device.backend().attention();
    }

    private AttentionPlane<Operands.Operand> written(Operands operands, String role, AttentionPlane<INDArray> plane) {
        return plane.mapNamed((name, array) -> operands.write(view(role, name, array)));
    }

    private ArrayView view(String role, String name, INDArray array) {
        if (name.equals("bias") && !hasBias || name.equals("sink") && !hasSink) {
            throw new IllegalArgumentException(
                    "attention: " + ArrayView.describe(role + name, array) + ", but the call has no " + name);
        }
        return shapes.view(role, name, array);
    }

    private AttentionPlane<INDArray> createInputs() {
        return AttentionPlane.inputs(
                shapes.create("query"),
                shapes.create("key"),
                shapes.create("value"),
                hasBias ? shapes.create("bias") : null,
                hasSink ? shapes.create("sink") : null);
    }

    private AttentionPlane<DeviceArray> withRows(AttentionPlane<DeviceArray> plane, Scope inner) {
        AttentionShape shape = call.shape();
        return plane.withRows(
                or(plane.query(), inner, shapes.rowType(), shape.querySize()),
                or(plane.key(), inner, shapes.rowType(), shape.keySize()),
                or(plane.value(), inner, shapes.rowType(), shape.valueSize()));
    }

    private AttentionPlane<DeviceArray> withOutputs(AttentionPlane<DeviceArray> plane, Scope inner) {
        AttentionShape shape = call.shape();
        return plane.withOutputs(
                or(plane.output(), inner, shapes.rowType(), shape.outputSize()),
                or(plane.logSumExp(), inner, shapes.wideType(), shape.logSumExpSize()));
    }

    private AttentionPlane<DeviceArray> withZeros(AttentionPlane<DeviceArray> plane, Scope inner) {
        AttentionPlane<DeviceArray> whole = withRows(plane, inner);
        BiConsumer<@Nullable DeviceArray, @Nullable DeviceArray> zero = (given, made) -> {
            if (given == null && made != null) {
                device.backend().memory().fill(made, 0);
            }
        };
        zero.accept(plane.query(), whole.query());
        zero.accept(plane.key(), whole.key());
        zero.accept(plane.value(), whole.value());
        return whole;
    }

    /** One operation of a pass: its operands are named first, then brought to the device, and what was written is brought back. */
    private final class Work {
        final Operands operands = new Operands(device);

        AttentionPlane<Operands.Operand> read(String role, AttentionPlane<INDArray> plane) {
            return plane.mapNamed((name, array) -> operands.read(view(role, name, array), false));
        }

        AttentionPlane<Operands.Operand> written(String role, AttentionPlane<INDArray> plane) {
            return AttentionPass.this.written(operands, role, plane);
        }

        AttentionPlane<DeviceArray> on(AttentionPlane<Operands.Operand> plane, Scope inner) {
            return plane.map(x -> operands.onDevice(x, inner));
        }

        /** @param body given the scope of the operation */
        void run(Consumer<Scope> body) {
            device.call(() -> {
                if (closed) {
                    throw new IllegalStateException("this AttentionPass is closed; ask for derivatives before that");
                }
                try (Scope inner = device.backend().memory().openScope()) {
                    operands.begin();
                    body.accept(inner);
                    operands.end();
                }
                return asked;
            });
            operands.finish();
        }
    }

    /** Gives back what is kept on the device. Closing twice is harmless. */
    @Override
    public void close() {
        if (device.isClosed()) {
            return;
        }
        device.call(() -> {
            closed = true;
            scope.close();
            return asked;
        });
    }
}
