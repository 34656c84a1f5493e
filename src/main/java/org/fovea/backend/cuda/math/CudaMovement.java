package org.fovea.backend.cuda.math;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.params.ArrangeParams;
import org.fovea.backend.cuda.params.GatherParams;
import org.fovea.backend.cuda.params.KernelParams;
import org.fovea.backend.cuda.params.ScatterParams;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;
import org.fovea.backend.memory.Scope;

/**
 * How kernels are launched, which returns at once, and those that move elements: strided copies, gathers and scatters, as
 * in {@link org.fovea.backend.math.MathOps}.
 */
public abstract class CudaMovement extends CudaMemory {
    /** Threads of a block of every kernel but the matrix products. */
    public static final int THREADS = 256;

    public static final int WARP = 32;

    /** Elements of one 16-byte access. */
    public static final int VECTOR = 4;

    public final Kernels kernels;

    /** The axes of the operation at hand. */
    final StridedAxes axes = new StridedAxes();

    private final Kernels.Kernel arrange;
    private final Kernels.Kernel arrangeVectors;
    private final Kernels.Kernel gatherRows;
    private final Kernels.Kernel gatherVectors;
    private final Kernels.Kernel scatterChunks;
    private final Kernels.Kernel scatterTable;
    private final ArrangeParams arrangeParams;
    private final GatherParams gatherParams;
    private final ScatterParams scatterParams;

    CudaMovement(CudaContext context) {
        super(context);
        kernels = new Kernels(context);
        arrange = kernels.find("arrange", THREADS, 0);
        arrangeVectors = kernels.find("arrange_vectors", THREADS, 0);
        gatherRows = kernels.find("gather_rows", THREADS, 0);
        gatherVectors = kernels.find("gather_vectors", THREADS, 0);
        scatterChunks = kernels.find("scatter_chunks", THREADS, 0);
        scatterTable = kernels.find("scatter_table", THREADS, 0);
        arrangeParams = new ArrangeParams(kernels.parameters());
        gatherParams = new GatherParams(kernels.parameters());
        scatterParams = new ScatterParams(kernels.parameters());
    }

    public static long tiles(long extent, int tile) {
        return (extent + tile - 1) / tile;
    }

    /** Launches enough threads to fill the device; beyond that each takes several of the {@code count} elements. */
    public final void launch(Kernels.Kernel kernel, long count, KernelParams params) {
        launchBlocks(kernel, tiles(count, THREADS), params);
    }

    /** Launches as many blocks as fill the device; beyond that each takes several shares of the work. */
    final void launchBlocks(Kernels.Kernel kernel, long blocks, KernelParams params) {
        if (blocks > 0) {
            kernels.launch(kernel, Math.min(blocks, 16L * context.multiprocessors()), params);
        }
    }

    /** Memory for one operation, given back when {@code scope} closes: later work may have it, as one stream orders all. */
    public static long scratch(Scope scope, DType dtype, long length) {
        return ((CudaArray) scope.allocate(dtype, length)).address();
    }

    static boolean isAligned(long address) {
        return address % (VECTOR * Float.BYTES) == 0;
    }

    /** The power of two that is not less than {@code n}, at most a warp. */
    public static int lanes(long n) {
        return n >= WARP ? WARP : n <= 1 ? 1 : 2 * Integer.highestOneBit((int) n - 1);
    }

    public final void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.arrange(shape, x, strideX, y, strideY);
        CudaArray xs = words("arrange", "x", x);
        CudaArray ys = words("arrange", "y", y);
        requireApart("arrange", ys, xs);
        long count = RowMajor.size(shape);
        axes.set(shape, strideX, strideY);
        boolean vectors = isAligned(xs.address()) && isAligned(ys.address()) && axes.divide(VECTOR);
        arrangeParams
                .x(xs.address())
                .y(ys.address())
                .count(vectors ? count / VECTOR : count)
                .shape(axes.shape)
                .strideX(axes.first)
                .strideY(axes.second);
        launch(vectors ? arrangeVectors : arrange, vectors ? count / VECTOR : count, arrangeParams);
    }

    public final void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        MathChecks.gatherRows(table, width, indices, y);
        CudaArray from = words("gatherRows", "table", table);
        CudaArray index = resolve("gatherRows", "indices", DType.I32, indices);
        CudaArray to = words("gatherRows", "y", y);
        requireApart("gatherRows", to, from, index);
        boolean vectors = width % VECTOR == 0 && isAligned(from.address()) && isAligned(to.address());
        int accesses = vectors ? width / VECTOR : width;
        gatherParams
                .table(from.address())
                .rows(to.address())
                .indices(index.address())
                .tableRows(from.length() / width)
                .count(index.length())
                .width(accesses);
        launch(vectors ? gatherVectors : gatherRows, index.length() * accesses, gatherParams);
    }

    public final void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        MathChecks.scatterAddRows(x, width, indices, table);
        CudaArray from = floats("scatterAddRows", "x", x);
        CudaArray index = resolve("scatterAddRows", "indices", DType.I32, indices);
        CudaArray to = floats("scatterAddRows", "table", table);
        requireApart("scatterAddRows", to, from, index);
        long count = index.length();
        long tableRows = to.length() / width;
        if (count == 0 || tableRows == 0) {
            return;
        }
        try (Scope scope = openScope()) {
            long keys = scratch(scope, DType.I32, count);
            long partial = scratch(scope, DType.F32, from.length());
            int splits = (int) Math.max(1, Math.min(512 / tableRows, tiles(width, WARP)));
            scatterParams
                    .table(to.address())
                    .rows(from.address())
                    .indices(index.address())
                    .keys(keys)
                    .partial(partial)
                    .tableRows(tableRows)
                    .count(count)
                    .width(width)
                    .splits(splits);
            kernels.launch(scatterChunks, tiles(count, THREADS), scatterParams);
            launchBlocks(scatterTable, tableRows * splits, scatterParams.again());
        }
    }
}
