package org.fovea.backend.attention;

import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.jspecify.annotations.Nullable;

/** What the operations of {@link AttentionOps} ask of their operands. Each throws {@link ShapeException} if it is not so. */
public final class AttentionChecks {

    private AttentionChecks() {}

    /**
     * Whether nothing is asked for but scaled dot products, as many key heads as heads, and keys hidden by causality,
     * window, segments and lengths.
     */
    public static boolean isPlain(AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        return shape.keyHeads() == shape.heads()
                && in.isPlain()
                && spec.similarity() == AttentionSpec.Similarity.DOT
                && spec.softcap() == 0
                && spec.dropout() == 0
                && spec.pastKeys() == 0;
    }

    /**
     * Refuses what only some implementations can do.
     *
     * @throws UnsupportedOnBackendException unless {@link #isPlain}
     */
    public static void requirePlain(String backend, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        if (!isPlain(shape, spec, in)) {
            throw new UnsupportedOnBackendException(backend, "attention with " + spec + " of " + shape);
        }
    }

    /** Operands of {@link AttentionOps#forward}. */
    public static void forward(AttentionShape shape, AttentionInputs in, AttentionOutputs out, long stateSize) {
        in.check(shape);
        outputs("attentionForward", shape, in, out, stateSize);
    }

    /** Operands of {@link AttentionOps#backward}. */
    public static void backward(
            AttentionShape shape,
            AttentionInputs in,
            AttentionOutputs out,
            long stateSize,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        in.check(shape);
        String operation = "attentionBackward";
        known(operation, shape, in, out, stateSize);
        output(operation, "dOutput", dOutput, shape, in);
        rowVector(operation, "dLogSumExp", dLogSumExp, shape);
        arguments(operation, "gradient of ", gradients, shape, in);
    }

    /** Operands of {@link AttentionOps#tangent}. */
    public static void tangent(
            AttentionShape shape,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            long stateSize,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        in.check(shape);
        tangents("attentionTangent", shape, in, tangents, out, stateSize, outputTangent, logSumExpTangent);
    }

    /** Operands of {@link AttentionOps#backwardTangent}. */
    public static void backwardTangent(
            AttentionShape shape,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            long stateSize,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            AttentionArguments gradientTangents) {
        in.check(shape);
        String operation = "attentionBackwardTangent";
        tangents(operation, shape, in, tangents, out, stateSize, outputTangent, logSumExpTangent);
        output(operation, "dOutput", gradients.dOutput(), shape, in);
        rowVector(operation, "dLogSumExp", gradients.dLogSumExp(), shape);
        output(operation, "dOutputTangent", gradients.dOutputTangent(), shape, in);
        rowVector(operation, "dLogSumExpTangent", gradients.dLogSumExpTangent(), shape);
        arguments(operation, "tangent of the gradient of ", gradientTangents, shape, in);
    }

    private static void tangents(
            String operation,
            AttentionShape shape,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            long stateSize,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        arguments(operation, "tangent of ", tangents, shape, in);
        known(operation, shape, in, out, stateSize);
        output(operation, "outputTangent", outputTangent, shape, in);
        rowVector(operation, "logSumExpTangent", logSumExpTangent, shape);
    }

    private static void outputs(
            String operation, AttentionShape shape, AttentionInputs in, AttentionOutputs out, long stateSize) {
        output(operation, "output", out.output(), shape, in);
        rowVector(operation, "logSumExp", out.logSumExp(), shape);
        state(operation, out, stateSize);
    }

    private static void state(String operation, AttentionOutputs out, long size) {
        DeviceArray state = out.state();
        if (state != null
                && (state.length() != size || state.dtype() != out.logSumExp().dtype())) {
            throw new ShapeException(
                    operation,
                    "state has " + state.length() + " elements of " + state.dtype() + ", expected " + size + " of "
                            + out.logSumExp().dtype());
        }
    }

    /** Outputs that a derivative starts from. */
    private static void known(
            String operation, AttentionShape shape, AttentionInputs in, AttentionOutputs out, long stateSize) {
        outputs(operation, shape, in, out, stateSize);
        if (out.state() == null && stateSize != 0) {
            throw new IllegalArgumentException(operation + ": the outputs have no state, and without it this backend"
                    + " can't differentiate; give attentionForward one of " + stateSize
                    + " elements (AttentionOutputs.withState), and then this");
        }
    }

    private static void output(
            String operation, String name, @Nullable DeviceArray array, AttentionShape s, AttentionInputs in) {
        if (array != null) {
            OperandChecks.floats(operation, name, array, s.batch(), s.heads(), s.queries(), s.valueDim());
            in.checkType(operation, name, array);
        }
    }

    private static void rowVector(String operation, String name, @Nullable DeviceArray array, AttentionShape shape) {
        if (array == null) {
            return;
        }
        OperandChecks.floats(operation, name, array, shape.batch(), shape.heads(), shape.queries());
        if (array.dtype().isHalf()) {
            throw new IllegalArgumentException(
                    operation + ": " + name + " is " + array.dtype() + ", expected the type of the arithmetic");
        }
    }

    private static void arguments(
            String operation, String role, AttentionArguments arrays, AttentionShape s, AttentionInputs in) {
        OperandChecks.floats(operation, role + "query", arrays.query(), s.batch(), s.heads(), s.queries(), s.headDim());
        OperandChecks.floats(operation, role + "key", arrays.key(), s.batch(), s.keyHeads(), s.keys(), s.headDim());
        OperandChecks.floats(
                operation, role + "value", arrays.value(), s.batch(), s.keyHeads(), s.keys(), s.valueDim());
        in.checkType(operation, role + "query", arrays.query());
        in.checkType(operation, role + "key", arrays.key());
        in.checkType(operation, role + "value", arrays.value());
        terms(operation, role, arrays.bias(), arrays.sink(), s, in);
    }

    private static void terms(
            String operation,
            String role,
            @Nullable DeviceArray bias,
            @Nullable DeviceArray sink,
            AttentionShape s,
            AttentionInputs in) {
        if (bias != null) {
            if (in.bias() == null) {
                throw new IllegalArgumentException(operation + ": " + role + "bias is given, but there is no bias");
            }
            OperandChecks.floats(operation, role + "bias", bias, in.bias().extents());
        }
        if (sink != null) {
            if (in.sink() == null) {
                throw new IllegalArgumentException(operation + ": " + role + "sink is given, but there is no sink");
            }
            OperandChecks.floats(operation, role + "sink", sink, s.heads());
        }
    }

    /** Operands of {@link AttentionOps#series}. */
    public static void series(
            AttentionShape s,
            AttentionInputs in,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results) {
        in.check(s);
        String operation = "attentionSeries";
        if (arguments.size() != ring.planes() || results.size() != ring.planes()) {
            throw new IllegalArgumentException(operation + ": " + arguments.size() + " planes of arguments and "
                    + results.size() + " of results, expected " + ring.planes() + " for " + ring);
        }
        for (int p = 0; p < ring.planes(); p++) {
            plane(operation, "plane " + p + " of ", arguments.get(p), s, in);
            plane(operation, "plane " + p + " of the result for ", results.get(p), s, in);
        }
    }

    private static void plane(String operation, String role, AttentionPlane p, AttentionShape s, AttentionInputs in) {
        rows(operation, role + "query", p.query(), in, s.batch(), s.heads(), s.queries(), s.headDim());
        rows(operation, role + "key", p.key(), in, s.batch(), s.keyHeads(), s.keys(), s.headDim());
        rows(operation, role + "value", p.value(), in, s.batch(), s.keyHeads(), s.keys(), s.valueDim());
        terms(operation, role, p.bias(), p.sink(), s, in);
        output(operation, role + "output", p.output(), s, in);
        rowVector(operation, role + "logSumExp", p.logSumExp(), s);
    }

    private static void rows(
            String operation, String name, @Nullable DeviceArray array, AttentionInputs in, int... extents) {
        if (array != null) {
            OperandChecks.floats(operation, name, array, extents);
            in.checkType(operation, name, array);
        }
    }

    /** Operands of {@link AttentionOps#weights}. */
    public static void weights(
            AttentionShape s,
            AttentionInputs in,
            AttentionOutputs out,
            long stateSize,
            int firstQuery,
            DeviceArray weights) {
        in.check(s);
        String operation = "attentionWeights";
        outputs(operation, s, in, out, stateSize);
        DType type = out.logSumExp().dtype();
        long perQuery = (long) s.batch() * s.heads() * s.keys();
        if (weights.dtype() != type || (perQuery == 0 ? weights.length() != 0 : weights.length() % perQuery != 0)) {
            throw new ShapeException(
                    operation,
                    "weights has " + weights.length() + " elements of " + weights.dtype() + ", expected a multiple of "
                            + perQuery + " of " + type + " for " + s);
        }
        long asked = perQuery == 0 ? 0 : weights.length() / perQuery;
        if (firstQuery < 0 || firstQuery + asked > s.queries()) {
            throw new IndexOutOfBoundsException(operation + ": queries " + firstQuery + " to " + (firstQuery + asked)
                    + " are asked for, there are " + s.queries());
        }
    }

    /** Operands of {@link AttentionOps#decode}. */
    public static void decode(
            DecodeShape shape,
            AttentionSpec spec,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        String operation = "attentionDecode";
        if (spec.causal()
                || spec.windowLeft() != AttentionSpec.UNLIMITED
                || spec.windowRight() != AttentionSpec.UNLIMITED
                || spec.dropout() != 0) {
            throw new IllegalArgumentException(
                    operation + " knows only similarity, scale and softcap, and is asked for " + spec);
        }
        spec.requireFit(query.dtype());
        OperandChecks.floats(operation, "query", query, shape.batch(), shape.heads(), shape.headDim());
        OperandChecks.floats(
                operation, "keyCache", keyCache, shape.batch(), shape.capacity(), shape.heads(), shape.headDim());
        OperandChecks.floats(
                operation, "valueCache", valueCache, shape.batch(), shape.capacity(), shape.heads(), shape.valueDim());
        OperandChecks.ints(operation, "counts", counts, shape.batch());
        OperandChecks.floats(operation, "output", output, shape.batch(), shape.heads(), shape.valueDim());
        AttentionInputs in = AttentionInputs.of(query, keyCache, valueCache);
        in.checkType(operation, "keyCache", keyCache);
        in.checkType(operation, "valueCache", valueCache);
        in.checkType(operation, "output", output);
        if (newest < 0 || newest >= shape.capacity()) {
            throw new IndexOutOfBoundsException(
                    operation + ": newest is slot " + newest + " of " + shape.capacity() + " in " + shape);
        }
    }
}
