package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/** What the operations of {@link AttentionOps} ask of their operands. Each throws {@link ShapeException} if it is not so. */
public final class AttentionShapes {

    private AttentionShapes() {}

    /** Operands of {@link AttentionOps#attentionForward}. */
    public static void forward(AttentionShape shape, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        in.check(shape);
        output("attentionForward", "output", output, shape);
        rowVector("attentionForward", "logSumExp", logSumExp, shape);
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
        output(operation, "output", output, shape);
        rowVector(operation, "logSumExp", logSumExp, shape);
        output(operation, "dOutput", dOutput, shape);
        if (dLogSumExp != null) {
            rowVector(operation, "dLogSumExp", dLogSumExp, shape);
        }
        Shapes.floats(operation, "dQuery", dQuery, shape.batch(), shape.heads(), shape.queries(), shape.headDim());
        Shapes.floats(operation, "dKey", dKey, shape.batch(), shape.heads(), shape.keys(), shape.headDim());
        Shapes.floats(operation, "dValue", dValue, shape.batch(), shape.heads(), shape.keys(), shape.valueDim());
    }

    private static void output(String operation, String name, DeviceArray array, AttentionShape shape) {
        Shapes.floats(operation, name, array, shape.batch(), shape.heads(), shape.queries(), shape.valueDim());
    }

    private static void rowVector(String operation, String name, DeviceArray array, AttentionShape shape) {
        Shapes.floats(operation, name, array, shape.batch(), shape.heads(), shape.queries());
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
        if (newest < 0 || newest >= shape.capacity()) {
            throw new IndexOutOfBoundsException(
                    operation + ": newest is slot " + newest + " of " + shape.capacity() + " in " + shape);
        }
    }
}
