package org.fovea.backend.cuda;

import java.util.Arrays;
import org.fovea.backend.BinaryOp;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Draw;
import org.fovea.backend.Gemm;
import org.fovea.backend.MathOps;
import org.fovea.backend.MathShapes;
import org.fovea.backend.ReduceOp;
import org.fovea.backend.Shapes;
import org.fovea.backend.UnaryOp;
import org.fovea.backend.UnsupportedOnBackendException;

/** The primitives as kernel launches. A launch returns at once. */
abstract class CudaMath extends CudaMemory implements MathOps {
    private static final int THREADS = 256;
    private static final int WARP = 32;
    private static final int GEMM_TILE = 64;
    private static final int GEMM_THREADS = 256;

    final Kernels kernels;
    private final Kernels.Kernel gemm;
    private final Kernels.Kernel map;
    private final Kernels.Kernel zip;
    private final Kernels.Kernel arrange;
    private final Kernels.Kernel select;
    private final Kernels.Kernel reduce;
    private final Kernels.Kernel gatherRows;
    private final Kernels.Kernel scatterAddRows;
    private final Kernels.Kernel iota;
    private final Kernels.Kernel uniform;
    private final GemmParams gemmParams;
    private final MapParams mapParams;
    private final ZipParams zipParams;
    private final ArrangeParams arrangeParams;
    private final SelectParams selectParams;
    private final ReduceParams reduceParams;
    private final RowsParams rowsParams;
    private final IotaParams iotaParams;
    private final UniformParams uniformParams;
    private final int[] shapeAxes = new int[Shapes.MAX_AXES];
    private final int[] firstAxes = new int[Shapes.MAX_AXES];
    private final int[] secondAxes = new int[Shapes.MAX_AXES];

    CudaMath(CudaContext context) {
        super(context);
        kernels = new Kernels(context);
        gemm = kernels.find("gemm", GEMM_THREADS, 0);
        map = kernels.find("map_unary", THREADS, 0);
        zip = kernels.find("zip_binary", THREADS, 0);
        arrange = kernels.find("arrange", THREADS, 0);
        select = kernels.find("select_elements", THREADS, 0);
        reduce = kernels.find("reduce_middle", THREADS, 0);
        gatherRows = kernels.find("gather_rows", THREADS, 0);
        scatterAddRows = kernels.find("scatter_add_rows", THREADS, 0);
        iota = kernels.find("iota", THREADS, 0);
        uniform = kernels.find("uniform", THREADS, 0);
        gemmParams = new GemmParams(kernels.parameters());
        mapParams = new MapParams(kernels.parameters());
        zipParams = new ZipParams(kernels.parameters());
        arrangeParams = new ArrangeParams(kernels.parameters());
        selectParams = new SelectParams(kernels.parameters());
        reduceParams = new ReduceParams(kernels.parameters());
        rowsParams = new RowsParams(kernels.parameters());
        iotaParams = new IotaParams(kernels.parameters());
        uniformParams = new UniformParams(kernels.parameters());
    }

    static long tiles(long extent, int tile) {
        return (extent + tile - 1) / tile;
    }

    /** Launches enough threads to fill the device; beyond that each takes several of the {@code count} elements. */
    private void launch(Kernels.Kernel kernel, long count, KernelParams params) {
        if (count > 0) {
            kernels.launch(kernel, Math.min(tiles(count, THREADS), 16L * context.multiprocessors()), params);
        }
    }

    @Override
    public final void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
        MathShapes.gemm(g, a, b, c);
        CudaArray as = floats("gemm", "a", a);
        CudaArray bs = floats("gemm", "b", b);
        CudaArray cs = floats("gemm", "c", c);
        requireApart("gemm", cs, as, bs);
        long blocks = g.batch() * tiles(g.m(), GEMM_TILE) * tiles(g.n(), GEMM_TILE);
        if (blocks == 0) {
            return;
        }
        gemmParams
                .a(as.address())
                .b(bs.address())
                .c(cs.address())
                .batchStrideA(g.strideA())
                .batchStrideB(g.strideB())
                .batchStrideC(g.strideC())
                .transposeA(g.transposeA() ? 1 : 0)
                .transposeB(g.transposeB() ? 1 : 0)
                .m(g.m())
                .n(g.n())
                .k(g.k())
                .rowStrideA(g.lda())
                .rowStrideB(g.ldb())
                .rowStrideC(g.ldc())
                .alpha(g.alpha())
                .beta(g.beta());
        kernels.launch(gemm, blocks, gemmParams);
    }

    @Override
    public final void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathShapes.map(x, y);
        CudaArray xs = floats("map", "x", x);
        CudaArray ys = floats("map", "y", y);
        requireApartOrSame("map", ys, xs);
        launchMap(op, xs.address(), ys.address(), xs.length());
    }

    final void launchMap(UnaryOp op, long x, long y, long count) {
        launch(map, count, mapParams.x(x).y(y).count(count).op(op.ordinal()));
    }

    @Override
    public final void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        MathShapes.zip(shape, a, strideA, b, strideB, y);
        CudaArray as = resolve("zip", "a", a.dtype(), a);
        CudaArray bs = resolve("zip", "b", b.dtype(), b);
        CudaArray ys = floats("zip", "y", y);
        requireApartOrSame("zip", ys, as);
        requireApartOrSame("zip", ys, bs);
        zipParams
                .a(as.address())
                .b(bs.address())
                .y(ys.address())
                .count(ys.length())
                .shape(padded(shape, 1, shapeAxes))
                .strideA(padded(strideA, 0, firstAxes))
                .strideB(padded(strideB, 0, secondAxes))
                .aIsInteger(as.dtype() == DType.I32 ? 1 : 0)
                .bIsInteger(bs.dtype() == DType.I32 ? 1 : 0)
                .op(op.ordinal());
        launch(zip, ys.length(), zipParams);
    }

    @Override
    public final void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathShapes.arrange(shape, x, strideX, y, strideY);
        CudaArray xs = resolve("arrange", "x", x.dtype(), x);
        CudaArray ys = resolve("arrange", "y", y.dtype(), y);
        requireApart("arrange", ys, xs);
        long count = Shapes.size(shape);
        arrangeParams
                .x(xs.address())
                .y(ys.address())
                .count(count)
                .shape(padded(shape, 1, shapeAxes))
                .strideX(padded(strideX, 0, firstAxes))
                .strideY(padded(strideY, 0, secondAxes));
        launch(arrange, count, arrangeParams);
    }

    /** {@code values} aligned to the last axis. */
    private static int[] padded(int[] values, int filler, int[] into) {
        Arrays.fill(into, 0, into.length - values.length, filler);
        System.arraycopy(values, 0, into, into.length - values.length, values.length);
        return into;
    }

    @Override
    public final void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        MathShapes.select(condition, a, b, y);
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
        launch(select, ys.length(), selectParams);
    }

    @Override
    public final void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        MathShapes.reduce(outer, reduced, inner, x, y);
        CudaArray xs = floats("reduce", "x", x);
        CudaArray ys = floats("reduce", "y", y);
        requireApart("reduce", ys, xs);
        reduceParams
                .x(xs.address())
                .y(ys.address())
                .outputs(ys.length())
                .reduced(reduced)
                .inner(inner)
                .op(op.ordinal());
        launch(reduce, ys.length() * WARP, reduceParams);
    }

    @Override
    public final void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        MathShapes.gatherRows(table, width, indices, y);
        CudaArray from = resolve("gatherRows", "table", table.dtype(), table);
        CudaArray to = resolve("gatherRows", "y", y.dtype(), y);
        requireApart("gatherRows", to, from);
        launch(gatherRows, to.length(), rows("gatherRows", from, to, indices, width));
    }

    @Override
    public final void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        MathShapes.scatterAddRows(x, width, indices, table);
        CudaArray from = floats("scatterAddRows", "x", x);
        CudaArray to = floats("scatterAddRows", "table", table);
        requireApart("scatterAddRows", to, from);
        launch(scatterAddRows, to.length(), rows("scatterAddRows", to, from, indices, width));
    }

    private RowsParams rows(String operation, CudaArray table, CudaArray rows, DeviceArray indices, int width) {
        CudaArray index = resolve(operation, "indices", DType.I32, indices);
        return rowsParams
                .table(table.address())
                .rows(rows.address())
                .indices(index.address())
                .tableRows(table.length() / width)
                .count(index.length())
                .width(width);
    }

    @Override
    public final void iota(double start, double step, DeviceArray y) {
        CudaArray ys = resolve("iota", "y", y.dtype(), y);
        iotaParams
                .y(ys.address())
                .count(ys.length())
                .start(start)
                .step(step)
                .isInteger(ys.dtype() == DType.I32 ? 1 : 0);
        launch(iota, ys.length(), iotaParams);
    }

    @Override
    public final void uniform(Draw draw, DeviceArray y) {
        MathShapes.uniform(draw, y);
        if (draw.counter() != null) {
            throw new UnsupportedOnBackendException("cuda", "uniform with a counter");
        }
        CudaArray ys = floats("uniform", "y", y);
        uniformParams.y(ys.address()).count(ys.length()).seed(draw.seed()).stream(draw.stream())
                .first(draw.first());
        launch(uniform, ys.length(), uniformParams);
    }
}
