// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/** Checks of the operands of {@link AttentionOps}. Each throws {@link ShapeException} if it is not so. */
public final class AttentionChecks {
    private final String operation;
    private final AttentionCall<? extends DeviceArray> call;
    private final AttentionShape shape;

    private AttentionChecks(String operation, AttentionCall<? extends DeviceArray> call) {
        this.operation = operation;
        this.call = call;
        shape = call.shape();
    }

    private static AttentionChecks of(String operation, AttentionCall<? extends DeviceArray> call) {
        new AttentionChecks("attention", call).inputs();
        return new AttentionChecks(operation, call);
    }

    /** Operands of {@link AttentionOps#forward}. */
    public static void forward(
            AttentionCall<? extends DeviceArray> call, AttentionOutputs<? extends DeviceArray> out, long stateSize) {
        of("attention.forward", call).outputs(out, stateSize);
    }

    /** Operands of {@link AttentionOps#backward}. */
    public static void backward(
            AttentionCall<? extends DeviceArray> call,
            AttentionOutputs<? extends DeviceArray> out,
            long stateSize,
            AttentionPlane<? extends DeviceArray> dOutputs,
            AttentionPlane<? extends DeviceArray> gradients) {
        AttentionChecks checks = of("attention.backward", call);
        checks.known(out, stateSize);
        checks.outputGradients(dOutputs);
        checks.arguments("gradient of ", gradients);
    }

    /** Operands of {@link AttentionOps#tangent}. */
    public static void tangent(
            AttentionCall<? extends DeviceArray> call,
            AttentionOutputs<? extends DeviceArray> out,
            long stateSize,
            AttentionPlane<? extends DeviceArray> tangents,
            AttentionPlane<? extends DeviceArray> outputTangents) {
        of("attention.tangent", call).tangents(out, stateSize, tangents, outputTangents);
    }

    /** Operands of {@link AttentionOps#backwardTangent}. */
    public static void backwardTangent(
            AttentionCall<? extends DeviceArray> call,
            AttentionOutputs<? extends DeviceArray> out,
            long stateSize,
            AttentionPlane<? extends DeviceArray> dOutputs,
            AttentionPlane<? extends DeviceArray> tangents,
            AttentionPlane<? extends DeviceArray> results) {
        AttentionChecks checks = of("attention.backwardTangent", call);
        checks.tangents(out, stateSize, tangents, results);
        checks.outputGradients(dOutputs);
        checks.output("dOutputTangent", tangents.output());
        checks.rowVector("dLogSumExpTangent", tangents.logSumExp());
        checks.arguments("tangent of the gradient of ", results);
    }

    /** Operands of {@link AttentionOps#series}. */
    public static void series(
            AttentionCall<? extends DeviceArray> call,
            SeriesRing ring,
            List<? extends AttentionPlane<? extends DeviceArray>> arguments,
            List<? extends AttentionPlane<? extends DeviceArray>> results) {
        AttentionChecks checks = of("attention.series", call);
        if (arguments.size() != ring.planes() || results.size() != ring.planes()) {
            throw new IllegalArgumentException(checks.operation + ": " + arguments.size() + " planes of arguments and "
                    + results.size() + " of results, expected " + ring.planes() + " for " + ring);
        }
        for (int p = 0; p < ring.planes(); p++) {
            checks.plane("plane " + p + " of ", arguments.get(p));
            checks.plane("plane " + p + " of the result for ", results.get(p));
        }
    }

    /** Operands of {@link AttentionOps#weights}. */
    public static void weights(
            AttentionCall<? extends DeviceArray> call,
            AttentionOutputs<? extends DeviceArray> out,
            long stateSize,
            int firstQuery,
            DeviceArray weights) {
        AttentionChecks checks = of("attention.weights", call);
        checks.outputs(out, stateSize);
        AttentionShape s = call.shape();
        DType type = out.logSumExp().dtype();
        long perQuery = (long) s.batch() * s.heads() * s.keys();
        if (weights.dtype() != type || (perQuery == 0 ? weights.length() != 0 : weights.length() % perQuery != 0)) {
            throw new ShapeException(
                    checks.operation,
                    "weights has " + weights.length() + " elements of " + weights.dtype() + ", expected a multiple of "
                            + perQuery + " of " + type + " for " + s);
        }
        long asked = perQuery == 0 ? 0 : weights.length() / perQuery;
        if (firstQuery < 0 || firstQuery + asked > s.queries()) {
            throw new IndexOutOfBoundsException(checks.operation + ": queries " + firstQuery + " to "
                    + (firstQuery + asked) + " are asked for, there are " + s.queries());
        }
    }

    /** Operands of {@link AttentionOps#decode}. */
    public static void decode(DecodeCall<? extends DeviceArray> call, DeviceArray output) {
        String operation = "attention.decode";
        DecodeShape shape = call.shape();
        AttentionSpec spec = call.spec();
        if (spec.causal()
                || spec.windowLeft() != AttentionSpec.UNLIMITED
                || spec.windowRight() != AttentionSpec.UNLIMITED
                || spec.dropout() != 0) {
            throw new IllegalArgumentException(
                    operation + " knows only similarity, scale and softcap, and is asked for " + spec);
        }
        DeviceArray query = call.query();
        spec.requireFit(query.dtype());
        int batch = shape.batch();
        int capacity = shape.capacity();
        OperandChecks.floats(operation, "query", query, batch, shape.heads(), shape.headDim());
        OperandChecks.floats(operation, "keyCache", call.keyCache(), batch, capacity, shape.heads(), shape.headDim());
        OperandChecks.floats(
                operation, "valueCache", call.valueCache(), batch, capacity, shape.heads(), shape.valueDim());
        OperandChecks.ints(operation, "counts", call.counts(), batch);
        OperandChecks.floats(operation, "output", output, batch, shape.heads(), shape.valueDim());
        sameType(operation, "keyCache", call.keyCache(), query);
        sameType(operation, "valueCache", call.valueCache(), query);
        sameType(operation, "output", output, query);
        OperandChecks.ints(operation, "positions", call.positions(), batch);
    }

    /** Every length against the shape, and that query, key and value are of one floating type. */
    private void inputs() {
        OperandChecks.floating(operation, "query", call.query());
        sameType(operation, "key", call.key(), call.query());
        sameType(operation, "value", call.value(), call.query());
        length("query", call.query(), shape.querySize());
        length("key", call.key(), shape.keySize());
        length("value", call.value(), shape.valueSize());
        AttentionMask<? extends DeviceArray> mask = call.mask();
        scoreBias("bias", call.bias());
        scoreBias("mask", mask.scores());
        if (mask.scores() != null && mask.scores().isRelative()) {
            throw new IllegalArgumentException(
                    "attention takes a bias by relative position, but a mask only by query and"
                            + " key; to hide keys by relative position, use a window");
        }
        wide("sink", call.sink(), shape.heads());
        wide("alibiSlopes", mask.alibiSlopes(), shape.heads());
        integers("querySegments", mask.querySegments(), (long) shape.batch() * shape.queries());
        integers("keySegments", mask.keySegments(), (long) shape.batch() * shape.keys());
        integers("keyLengths", mask.keyLengths(), shape.batch());
        DeviceArray querySequences = mask.querySequences();
        DeviceArray keySequences = mask.keySequences();
        if (querySequences != null && keySequences != null) {
            if (shape.batch() != 1) {
                throw new ShapeException(operation, "a packed batch must have batch 1: " + shape);
            }
            if (querySequences.length() == 0 || keySequences.length() != querySequences.length()) {
                throw new ShapeException(
                        operation,
                        "querySequences has " + querySequences.length() + " elements and keySequences "
                                + keySequences.length() + ", expected one more than there are sequences in both");
            }
            integers("querySequences", querySequences, querySequences.length());
            integers("keySequences", keySequences, keySequences.length());
        }
    }

    private void scoreBias(String name, @Nullable ScoreBias<? extends DeviceArray> bias) {
        if (bias == null) {
            return;
        }
        boolean fits = (bias.batch() == 1 || bias.batch() == shape.batch())
                && (bias.heads() == 1 || bias.heads() == shape.heads())
                && (bias.queries() == 1 || bias.queries() == shape.queries())
                && (bias.keys() == 1 || bias.keys() == shape.keys());
        if (!fits || bias.array().length() != bias.size()) {
            throw new ShapeException(
                    operation,
                    name + " is " + Arrays.toString(bias.extents()) + " of "
                            + bias.array().length() + " elements, expected extents that are 1 or those of " + shape
                            + (bias.isRelative() ? ", and a number for each relative position" : ""));
        }
        wide(name, bias.array(), bias.size());
    }

    /** Of the type of the arithmetic. */
    private void wide(String name, @Nullable DeviceArray array, long expected) {
        if (array != null) {
            length(name, array, expected);
            OperandChecks.floating(operation, name, array);
            notHalf(name, array);
        }
    }

    private void integers(String name, @Nullable DeviceArray array, long expected) {
        if (array != null) {
            length(name, array, expected);
            OperandChecks.ints(operation, name, array, Math.toIntExact(expected));
        }
    }

    private void length(String name, DeviceArray array, long expected) {
        if (array.length() != expected) {
            throw new ShapeException(
                    operation, name + " has " + array.length() + " elements, expected " + expected + " for " + shape);
        }
    }

    private void tangents(
            AttentionOutputs<? extends DeviceArray> out,
            long stateSize,
            AttentionPlane<? extends DeviceArray> tangents,
            AttentionPlane<? extends DeviceArray> outputTangents) {
        arguments("tangent of ", tangents);
        known(out, stateSize);
        output("outputTangent", given("outputTangent", outputTangents.output()));
        rowVector("logSumExpTangent", given("logSumExpTangent", outputTangents.logSumExp()));
    }

    private void outputs(AttentionOutputs<? extends DeviceArray> out, long stateSize) {
        output("output", out.output());
        rowVector("logSumExp", out.logSumExp());
        DeviceArray state = out.state();
        DType type = out.logSumExp().dtype();
        if (state != null && (state.length() != stateSize || state.dtype() != type)) {
            throw new ShapeException(
                    operation,
                    "state has " + state.length() + " elements of " + state.dtype() + ", expected " + stateSize + " of "
                            + type);
        }
    }

    /** Outputs that a derivative starts from. */
    private void known(AttentionOutputs<? extends DeviceArray> out, long stateSize) {
        outputs(out, stateSize);
        if (out.state() == null && stateSize != 0) {
            throw new IllegalArgumentException(operation + ": the outputs have no state, and without it this backend"
                    + " can't differentiate; give attention.forward one of " + stateSize
                    + " elements (AttentionOutputs.withState), and then this");
        }
    }

    private void outputGradients(AttentionPlane<? extends DeviceArray> dOutputs) {
        output("dOutput", given("dOutput", dOutputs.output()));
        rowVector("dLogSumExp", dOutputs.logSumExp());
    }

    private void output(String name, @Nullable DeviceArray array) {
        rows(name, array, shape.heads(), shape.queries(), shape.valueDim());
    }

    private void rowVector(String name, @Nullable DeviceArray array) {
        if (array != null) {
            OperandChecks.floats(operation, name, array, shape.batch(), shape.heads(), shape.queries());
            notHalf(name, array);
        }
    }

    private void notHalf(String name, DeviceArray array) {
        if (array.dtype().isHalf()) {
            throw new IllegalArgumentException(
                    operation + ": " + name + " is " + array.dtype() + ", expected the type of the arithmetic");
        }
    }

    /** Parts of the inputs, of which query, key and value must be there. */
    private void arguments(String role, AttentionPlane<? extends DeviceArray> plane) {
        given(role + "query", plane.query());
        given(role + "key", plane.key());
        given(role + "value", plane.value());
        inputs(role, plane);
    }

    private void plane(String role, AttentionPlane<? extends DeviceArray> plane) {
        inputs(role, plane);
        output(role + "output", plane.output());
        rowVector(role + "logSumExp", plane.logSumExp());
    }

    private void inputs(String role, AttentionPlane<? extends DeviceArray> plane) {
        rows(role + "query", plane.query(), shape.heads(), shape.queries(), shape.headDim());
        rows(role + "key", plane.key(), shape.keyHeads(), shape.keys(), shape.headDim());
        rows(role + "value", plane.value(), shape.keyHeads(), shape.keys(), shape.valueDim());
        if (plane.bias() != null) {
            if (call.bias() == null) {
                throw new IllegalArgumentException(operation + ": " + role + "bias is given, but there is no bias");
            }
            OperandChecks.floats(
                    operation, role + "bias", plane.bias(), call.bias().extents());
            notHalf(role + "bias", plane.bias());
        }
        if (plane.sink() != null) {
            if (call.sink() == null) {
                throw new IllegalArgumentException(operation + ": " + role + "sink is given, but there is no sink");
            }
            OperandChecks.floats(operation, role + "sink", plane.sink(), shape.heads());
            notHalf(role + "sink", plane.sink());
        }
    }

    private void rows(String name, @Nullable DeviceArray array, int heads, int rows, int dim) {
        if (array != null) {
            OperandChecks.floats(operation, name, array, shape.batch(), heads, rows, dim);
            sameType(operation, name, array, call.query());
        }
    }

    private DeviceArray given(String name, @Nullable DeviceArray array) {
        if (array == null) {
            throw new IllegalArgumentException(operation + ": " + name + " is missing");
        }
        return array;
    }

    /** Requires the type of the query. */
    private static void sameType(String operation, String name, DeviceArray array, DeviceArray query) {
        if (array.dtype() != query.dtype()) {
            throw new IllegalArgumentException(operation + ": " + name + " is " + array.dtype() + " but query is "
                    + query.dtype() + "; query, key, value, output and their gradients must be of one type");
        }
    }
}
