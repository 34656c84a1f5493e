package org.fovea.backend;

/**
 * Lets a composition be written as its formula: each method runs one primitive into a new array, and all of them end
 * when the formula is closed.
 */
final class Formula implements AutoCloseable {
    private final MathOps b;
    private final Scope scope;

    Formula(MathOps b) {
        this.b = b;
        scope = b.openScope();
    }

    DeviceArray empty(long length) {
        return scope.allocate(b.floatType(), length);
    }

    DeviceArray emptyIntegers(long length) {
        return scope.allocate(DType.I32, length);
    }

    /** One element, to be broadcast. */
    DeviceArray constant(double value) {
        return constant(value, 1);
    }

    DeviceArray constant(double value, long length) {
        DeviceArray y = empty(length);
        b.fill(y, value);
        return y;
    }

    /** {@code 0, 1, 2 ...} */
    DeviceArray range(long length) {
        DeviceArray y = empty(length);
        b.iota(0, 1, y);
        return y;
    }

    /** x in the type of the arithmetic. */
    DeviceArray widened(DeviceArray x) {
        if (x.dtype() == b.floatType()) {
            return x;
        }
        DeviceArray y = empty(x.length());
        b.cast(x, y);
        return y;
    }

    DeviceArray map(UnaryOp op, DeviceArray x) {
        DeviceArray y = empty(x.length());
        b.map(op, x, y);
        return y;
    }

    DeviceArray zip(BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray c, int[] strideC) {
        DeviceArray y = empty(Shapes.size(shape));
        b.zip(op, shape, a, strideA, c, strideC, y);
        return y;
    }

    /** Of two arrays of the same length. */
    DeviceArray zip(BinaryOp op, DeviceArray a, DeviceArray c) {
        return zip(op, vector(a), a, new int[] {1}, c, new int[] {1});
    }

    /** {@code op(a[i], number)} */
    DeviceArray zip(BinaryOp op, DeviceArray a, double number) {
        return zip(op, vector(a), a, new int[] {1}, constant(number), new int[] {0});
    }

    /** {@code op(number, c[i])} */
    DeviceArray zip(BinaryOp op, double number, DeviceArray c) {
        return zip(op, vector(c), constant(number), new int[] {0}, c, new int[] {1});
    }

    private static int[] vector(DeviceArray x) {
        return new int[] {Math.toIntExact(x.length())};
    }

    /** {@code op(x[row, i], perRow[row])} */
    DeviceArray zipRows(BinaryOp op, int rows, int width, DeviceArray x, DeviceArray perRow) {
        return zip(op, new int[] {rows, width}, x, new int[] {width, 1}, perRow, new int[] {1, 0});
    }

    /** {@code op(x[row, i], perColumn[i])} */
    DeviceArray zipColumns(BinaryOp op, int rows, int width, DeviceArray x, DeviceArray perColumn) {
        return zip(op, new int[] {rows, width}, x, new int[] {width, 1}, perColumn, new int[] {0, 1});
    }

    DeviceArray select(DeviceArray condition, DeviceArray a, DeviceArray c) {
        DeviceArray y = empty(condition.length());
        b.select(condition, a, c, y);
        return y;
    }

    /** {@code condition[i] ? a[i] : number} */
    DeviceArray select(DeviceArray condition, DeviceArray a, double number) {
        return select(condition, a, constant(number, condition.length()));
    }

    /** {@code x[i, :]} folded, of x [rows, width]. */
    DeviceArray reduceRows(ReduceOp op, int rows, int width, DeviceArray x) {
        DeviceArray y = empty(rows);
        b.reduce(op, rows, width, 1, x, y);
        return y;
    }

    /** A strided source as a dense array. */
    DeviceArray gather(int[] shape, DeviceArray x, int[] strideX) {
        DeviceArray y = empty(Shapes.size(shape));
        b.arrange(shape, x, strideX, y, rowMajor(shape));
        return y;
    }

    /** Strides of a dense array. */
    static int[] rowMajor(int... shape) {
        int[] strides = new int[shape.length];
        int stride = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            strides[axis] = stride;
            stride *= shape[axis];
        }
        return strides;
    }

    @Override
    public void close() {
        scope.close();
    }
}
