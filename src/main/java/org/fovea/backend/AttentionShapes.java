package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/** What the operations of {@link AttentionOps} ask of their operands. Each throws {@link ShapeException} if it is not so. */
public final class AttentionShapes {

    private AttentionShapes() {}

    /** Operands of {@link AttentionOps#attentionForward}. */
    public static void forward(AttentionShape shape, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        in.check(shape);
        outputs("attentionForward", shape, in, output, logSumExp);
    }

    /** Operands of {@link AttentionOps#attentionBackward}. */
    public static void backward(
            AttentionShape shape,
            AttentionInputs in,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            DeviceArray dQuery,
            DeviceArray dKey,
            DeviceArray dValue) {
        in.check(shape);
        String operation = "attentionBackward";
        outputs(operation, shape, in, output, logSumExp);
        output(operation, "dOutput", dOutput, shape, in);
        rowVector(operation, "dLogSumExp", dLogSumExp, shape);
        triple(operation, "dQuery", "dKey", "dValue", new QueryKeyValue(dQuery, dKey, dValue), shape, in);
    }

    /** Operands of {@link AttentionOps#attentionTangent}. */
    public static void tangent(
            AttentionShape shape,
            AttentionInputs in,
            QueryKeyValue tangents,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        in.check(shape);
        tangents("attentionTangent", shape, in, tangents, output, logSumExp, outputTangent, logSumExpTangent);
    }

    /** Operands of {@link AttentionOps#attentionBackwardTangent}. */
    public static void backwardTangent(
            AttentionShape shape,
            AttentionInputs in,
            QueryKeyValue tangents,
            DeviceArray output,
            DeviceArray logSumExp,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            QueryKeyValue gradientTangents) {
        in.check(shape);
        String operation = "attentionBackwardTangent";
        tangents(operation, shape, in, tangents, output, logSumExp, outputTangent, logSumExpTangent);
        output(operation, "dOutput", gradients.dOutput(), shape, in);
        rowVector(operation, "dLogSumExp", gradients.dLogSumExp(), shape);
        output(operation, "dOutputTangent", gradients.dOutputTangent(), shape, in);
        rowVector(operation, "dLogSumExpTangent", gradients.dLogSumExpTangent(), shape);
        triple(operation, "dQueryTangent", "dKeyTangent", "dValueTangent", gradientTangents, shape, in);
    }

    private static void tangents(
            String operation,
            AttentionShape shape,
            AttentionInputs in,
            QueryKeyValue tangents,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        triple(operation, "queryTangent", "keyTangent", "valueTangent", tangents, shape, in);
        outputs(operation, shape, in, output, logSumExp);
        output(operation, "outputTangent", outputTangent, shape, in);
        rowVector(operation, "logSumExpTangent", logSumExpTangent, shape);
    }

    private static void outputs(
            String operation, AttentionShape shape, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        output(operation, "output", output, shape, in);
        rowVector(operation, "logSumExp", logSumExp, shape);
    }

    private static void output(
            String operation, String name, @Nullable DeviceArray array, AttentionShape s, AttentionInputs in) {
        if (array != null) {
            Shapes.floats(operation, name, array, s.batch(), s.heads(), s.queries(), s.valueDim());
            in.checkType(operation, name, array);
        }
    }

    private static void rowVector(String operation, String name, @Nullable DeviceArray array, AttentionShape shape) {
        if (array == null) {
            return;
        }
        Shapes.floats(operation, name, array, shape.batch(), shape.heads(), shape.queries());
        if (array.dtype().isHalf()) {
            throw new IllegalArgumentException(
                    operation + ": " + name + " is " + array.dtype() + ", expected the type of the arithmetic");
        }
    }

    private static void triple(
            String operation,
            String queryName,
            String keyName,
            String valueName,
            QueryKeyValue arrays,
            AttentionShape s,
            AttentionInputs in) {
        Shapes.floats(operation, queryName, arrays.query(), s.batch(), s.heads(), s.queries(), s.headDim());
        Shapes.floats(operation, keyName, arrays.key(), s.batch(), s.heads(), s.keys(), s.headDim());
        Shapes.floats(operation, valueName, arrays.value(), s.batch(), s.heads(), s.keys(), s.valueDim());
        in.checkType(operation, queryName, arrays.query());
        in.checkType(operation, keyName, arrays.key());
        in.checkType(operation, valueName, arrays.value());
    }

    /** Operands of {@link AttentionOps#attentionDecode}. */
    public static void decode(
            DecodeShape shape,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        String operation = "attentionDecode";
        Shapes.floats(operation, "query", query, shape.batch(), shape.heads(), shape.headDim());
        Shapes.floats(operation, "keyCache", keyCache, shape.batch(), shape.capacity(), shape.heads(), shape.headDim());
        Shapes.floats(
                operation, "valueCache", valueCache, shape.batch(), shape.capacity(), shape.heads(), shape.valueDim());
        Shapes.ints(operation, "counts", counts, shape.batch());
        Shapes.floats(operation, "output", output, shape.batch(), shape.heads(), shape.valueDim());
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
