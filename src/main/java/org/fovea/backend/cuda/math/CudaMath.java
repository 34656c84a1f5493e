package org.fovea.backend.cuda.math;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.params.CastParams;
import org.fovea.backend.cuda.params.IotaParams;
import org.fovea.backend.cuda.params.MapParams;
import org.fovea.backend.cuda.params.ReduceParams;
import org.fovea.backend.cuda.params.SelectParams;
import org.fovea.backend.cuda.params.UniformParams;
import org.fovea.backend.cuda.params.ZipParams;
import org.fovea.backend.cuda.params.ZipRowsParams;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/** The primitives that calculate, as kernel launches. */
public abstract class CudaMath extends CudaMovement implements MathOps {

    /** Elements of a row, or of a column, that need not be shared out over a block. */
    private static final int SHORT_ROW = 1024;

    private static final int SHORT_COLUMN = 32;

    public final Cublas cublas;
    private final CudaGemm gemm;
    private final Kernels.Kernel cast;
    private final Kernels.Kernel map;
    private final Kernels.Kernel zip;
    private final Kernels.Kernel zipRows;
    private final Kernels.Kernel select;
    private final Kernels.Kernel reduceShort;
    private final Kernels.Kernel reduceLong;
    private final Kernels.Kernel iota;
    private final Kernels.Kernel uniform;
    private final CastParams castParams;
    private final MapParams mapParams;
    private final ZipParams zipParams;
    private final ZipRowsParams zipRowsParams;
    private final SelectParams selectParams;
    private final ReduceParams reduceParams;
    private final IotaParams iotaParams;
    private final UniformParams uniformParams;

    CudaMath(CudaContext context) {
        super(context);
        cublas = Cublas.open(context);
        gemm = new CudaGemm(this, kernels, context.multiprocessors(), context.tf32());
        cast = kernels.find("cast", THREADS, 0);
        map = kernels.find("map_unary", THREADS, 0);
        zip = kernels.find("zip_binary", THREADS, 0);
        zipRows = kernels.find("zip_rows", THREADS, 0);
        select = kernels.find("select_elements", THREADS, 0);
        reduceShort = kernels.find("reduce_short", THREADS, 0);
        reduceLong = kernels.find("reduce_long", THREADS, 0);
        iota = kernels.find("iota", THREADS, 0);
        uniform = kernels.find("uniform", THREADS, 0);
        castParams = new CastParams(kernels.parameters());
        mapParams = new MapParams(kernels.parameters());
        zipParams = new ZipParams(kernels.parameters());
        zipRowsParams = new ZipRowsParams(kernels.parameters());
        selectParams = new SelectParams(kernels.parameters());
        reduceParams = new ReduceParams(kernels.parameters());
        iotaParams = new IotaParams(kernels.parameters());
        uniformParams = new UniformParams(kernels.parameters());
    }

    @Override
    public final void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
        MathChecks.gemm(g, a, b, c);
        CudaArray as = floats("gemm", "a", a);
        CudaArray bs = floats("gemm", "b", b);
        CudaArray cs = floats("gemm", "c", c);
        requireApart("gemm", cs, as, bs);
        multiply(g, as.address(), bs.address(), cs.address(), 0, Activation.NONE);
    }

    /** By cuBLAS if it takes the product, which it does without what is fused. */
    private void multiply(Gemm g, long a, long b, long c, long bias, Activation activation) {
        if (bias == 0 && activation == Activation.NONE && cublas.takes(g)) {
            cublas.gemm(g, a, b, c);
        } else {
            gemm.launch(g, a, b, c, bias, activation);
        }
    }

    @Override
    public final void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        MathChecks.linear(rows, in, out, x, weight, bias, y);
        CudaArray xs = floats("linear", "x", x);
        CudaArray weights = floats("linear", "weight", weight);
        CudaArray ys = floats("linear", "y", y);
        requireApart("linear", ys, xs, weights);
        long biases = 0;
        if (bias != null) {
            CudaArray resolved = floats("linear", "bias", bias);
            requireApart("linear", ys, resolved);
            biases = resolved.address();
        }
        Gemm g = Gemm.dense(false, false, rows, out, in);
        multiply(g, xs.address(), weights.address(), ys.address(), biases, activation);
    }

    @Override
    public final void cast(DeviceArray x, DeviceArray y) {
        MathChecks.cast(x, y);
        CudaArray xs = floating("cast", "x", x);
        CudaArray ys = floating("cast", "y", y);
        if (xs.dtype() == ys.dtype()) {
            requireApartOrSame("cast", ys, xs);
        } else {
            requireApart("cast", ys, xs);
        }
        castParams
                .x(xs.address())
                .y(ys.address())
                .count(ys.length())
                .from(storage(xs.dtype()))
                .to(storage(ys.dtype()));
        launch(cast, ys.length(), castParams);
    }

    /** A floating type as kernel parameters number it. */
    public static int storage(DType type) {
        return switch (type) {
            case F32 -> 0;
            case BF16 -> 1;
            case F16 -> 2;
            case F64, I32 -> throw new IllegalArgumentException(type + " has no storage type in kernels");
        };
    }

    @Override
    public final void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathChecks.map(x, y);
        CudaArray xs = floats("map", "x", x);
        CudaArray ys = floats("map", "y", y);
        requireApartOrSame("map", ys, xs);
        launchMap(op, xs.address(), ys.address(), xs.length());
    }

    public final void launchMap(UnaryOp op, long x, long y, long count) {
        launch(map, tiles(count, VECTOR), mapParams.x(x).y(y).count(count).op(op.ordinal()));
    }

    @Override
    public final void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        MathChecks.zip(shape, a, strideA, b, strideB, y);
        CudaArray as = words("zip", "a", a);
        CudaArray bs = words("zip", "b", b);
        CudaArray ys = floats("zip", "y", y);
        requireApartOrSame("zip", ys, as);
        requireApartOrSame("zip", ys, bs);
        axes.set(shape, strideA, strideB);
        boolean floating = as.dtype() == DType.F32 && bs.dtype() == DType.F32;
        if (floating && axes.count() <= 2 && isZeroOrOne(axes.first(0)) && isZeroOrOne(axes.second(0))) {
            zipRows(op, as, bs, ys);
            return;
        }
        zipParams
                .a(as.address())
                .b(bs.address())
                .y(ys.address())
                .count(ys.length())
                .shape(axes.shape)
                .strideA(axes.first)
                .strideB(axes.second)
                .aIsInteger(as.dtype() == DType.I32 ? 1 : 0)
                .bIsInteger(bs.dtype() == DType.I32 ? 1 : 0)
                .op(op.ordinal());
        launch(zip, ys.length(), zipParams);
    }

    private static boolean isZeroOrOne(int stride) {
        return stride == 0 || stride == 1;
    }

    /** Of operands that are dense, one number, one row for all or one number per row, as {@link #axes} has them. */
    private void zipRows(BinaryOp op, CudaArray a, CudaArray b, CudaArray y) {
        long rows = axes.extent(1);
        long width = axes.extent(0);
        boolean vectors = isAligned(y.address())
                && (rows == 1 || width % VECTOR == 0)
                && takesVectors(a, axes.first(1), axes.first(0))
                && takesVectors(b, axes.second(1), axes.second(0));
        zipRowsParams
                .a(a.address())
                .b(b.address())
                .y(y.address())
                .rows(rows)
                .width(width)
                .aRowStride(axes.first(1))
                .bRowStride(axes.second(1))
                .aStride(axes.first(0))
                .bStride(axes.second(0))
                .vectors(vectors ? 1 : 0)
                .op(op.ordinal());
        launch(zipRows, vectors ? tiles(y.length(), VECTOR) : y.length(), zipRowsParams);
    }

    private static boolean takesVectors(CudaArray operand, int rowStride, int stride) {
        return stride == 0 || isAligned(operand.address()) && rowStride % VECTOR == 0;
    }

    @Override
    public final void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        MathChecks.select(condition, a, b, y);
        CudaArray conditions = floats("select", "condition", condition);
        CudaArray as = floats("select", "a", a);
        CudaArray bs = floats("select", "b", b);
        CudaArray ys = floats("select", "y", y);
        requireApartOrSame("select", ys, conditions);
        requireApartOrSame("select", ys, as);
        requireApartOrSame("select", ys, bs);
        selectParams
                .condition(conditions.address())
                .a(as.address())
                .b(bs.address())
                .y(ys.address())
                .count(ys.length());
        launch(select, tiles(ys.length(), VECTOR), selectParams);
    }

    @Override
    public final void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        MathChecks.reduce(outer, reduced, inner, x, y);
        CudaArray xs = floats("reduce", "x", x);
        CudaArray ys = floats("reduce", "y", y);
        requireApart("reduce", ys, xs);
        boolean isShort = inner == 1 ? reduced <= SHORT_ROW : reduced <= SHORT_COLUMN;
        long chunks = isShort ? 1 : chunks(outer, reduced, inner);
        if (chunks == 1) {
            launchReduce(op, isShort, outer, reduced, inner, reduced, xs.address(), ys.address());
            return;
        }
        long chunk = tiles(reduced, (int) chunks);
        chunks = tiles(reduced, (int) chunk);
        try (Scope scope = openScope()) {
            long partial = scratch(scope, DType.F32, chunks * ys.length());
            launchReduce(op, false, outer, reduced, inner, chunk, xs.address(), partial);
            launchReduce(op, chunks <= SHORT_COLUMN, outer, chunks, inner, chunks, partial, ys.address());
        }
    }

    /** Into how many parts to cut long folds so that they fill a device: of the shape alone, so that sums are too. */
    private static long chunks(int outer, int reduced, int inner) {
        int columns = lanes(inner);
        long blocks = outer * tiles(inner, columns);
        long threadsOfColumn = THREADS / columns;
        long longEnough = reduced / (8 * threadsOfColumn);
        return Math.max(1, Math.min(512 / Math.max(1, blocks), longEnough));
    }

    private void launchReduce(
            ReduceOp op, boolean isShort, long outer, long reduced, long inner, long chunk, long x, long y) {
        long chunks = reduced == 0 ? 1 : tiles(reduced, (int) chunk);
        int lanes = inner == 1 ? lanes(reduced) : 1;
        int columns = lanes(inner);
        reduceParams
                .x(x)
                .y(y)
                .outer(outer)
                .reduced(reduced)
                .inner(inner)
                .chunk(chunk)
                .chunks(chunks)
                .lanes(lanes)
                .columns(columns)
                .op(op.ordinal());
        if (isShort) {
            launch(reduceShort, outer * chunks * inner * lanes, reduceParams);
        } else {
            launchBlocks(reduceLong, outer * chunks * tiles(inner, columns), reduceParams);
        }
    }

    @Override
    public final void iota(double start, double step, DeviceArray y) {
        CudaArray ys = words("iota", "y", y);
        iotaParams
                .y(ys.address())
                .count(ys.length())
                .start(start)
                .step(step)
                .isInteger(ys.dtype() == DType.I32 ? 1 : 0);
        launch(iota, ys.length(), iotaParams);
    }

    @Override
    public final void uniform(RandomRange draw, DeviceArray y) {
        MathChecks.uniform(draw, y);
        CudaArray ys = floats("uniform", "y", y);
        uniformParams.y(ys.address()).counter(counter("uniform", draw)).count(ys.length()).seed(draw.seed()).stream(
                        draw.stream())
                .first(draw.first());
        // One block of four numbers more where the first one lies inside a block.
        launch(uniform, ys.length() == 0 ? 0 : tiles(ys.length(), 4) + 1, uniformParams);
    }

    /** Address of the counter that a draw adds to its stream, or 0. */
    public final long counter(String operation, RandomRange draw) {
        return draw.counter() == null
                ? 0
                : resolve(operation, "counter", DType.I32, draw.counter()).address();
    }
}
