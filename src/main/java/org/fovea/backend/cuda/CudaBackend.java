package org.fovea.backend.cuda;

import java.util.Arrays;
import java.util.function.IntConsumer;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShapes;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.Backend;
import org.fovea.backend.BinaryOp;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Gemm;
import org.fovea.backend.MathShapes;
import org.fovea.backend.ReduceOp;
import org.fovea.backend.UnaryOp;
import org.fovea.backend.UnsupportedOnBackendException;
import org.jspecify.annotations.Nullable;

/** Operations as kernel launches. Launching returns at once; a download or {@link #synchronize} waits. */
final class CudaBackend extends CudaMemory implements Backend {
    private static final int GEMM_TILE = 64;
    private static final int GEMM_THREADS = 256;
    private static final int MAP_THREADS = 256;

    private final Kernels kernels;
    private final Kernels.Kernel gemm;
    private final Kernels.Kernel map;
    private final Kernels.Kernel[] attentionForward;
    private final GemmParams gemmParams;
    private final MapParams mapParams;
    private final AttentionForwardParams attentionParams;

    private CudaBackend(CudaContext context) {
        super(context);
        kernels = new Kernels(context);
        gemm = kernels.find("gemm", GEMM_THREADS, 0);
        map = kernels.find("map_unary", MAP_THREADS, 0);
        attentionForward = Arrays.stream(AttentionTile.ALL)
                .map(tile -> kernels.find(tile.kernelName(), AttentionTile.THREADS, tile.sharedBytes()))
                .toArray(Kernels.Kernel[]::new);
        gemmParams = new GemmParams(kernels.parameters());
        mapParams = new MapParams(kernels.parameters());
        attentionParams = new AttentionForwardParams(kernels.parameters());
    }

    /** Opens device 0. The calling thread is the only one that may use the backend. */
    static CudaBackend open() {
        CudaContext context = new CudaContext();
        try {
            return new CudaBackend(context);
        } catch (RuntimeException e) {
            context.abandon();
            throw e;
        }
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public String description() {
        return context.description() + "; matrix products by Fovea's own kernel";
    }

    @Override
    public void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
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
    public void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathShapes.map(x, y);
        CudaArray xs = floats("map", "x", x);
        CudaArray ys = floats("map", "y", y);
        requireApartOrSame("map", ys, xs);
        if (xs.length() == 0) {
            return;
        }
        launchMap(op, xs.address(), ys.address(), xs.length());
    }

    void launchMap(UnaryOp op, long x, long y, long count) {
        mapParams.x(x).y(y).count(count).op(op.ordinal());
        // Enough blocks to fill the device; beyond that each thread takes several elements.
        long blocks = Math.min(tiles(count, MAP_THREADS), 16L * context.multiprocessors());
        kernels.launch(map, blocks, mapParams);
    }

    @Override
    public void attentionForward(
            AttentionShape shape, AttentionSpec spec, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        AttentionShapes.forward(shape, in, output, logSumExp);
        CudaArray query = floats("attentionForward", "query", in.query());
        CudaArray key = floats("attentionForward", "key", in.key());
        CudaArray value = floats("attentionForward", "value", in.value());
        CudaArray out = floats("attentionForward", "output", output);
        CudaArray lse = floats("attentionForward", "logSumExp", logSumExp);
        requireApart("attentionForward", out, query, key, value, lse);
        requireApart("attentionForward", lse, query, key, value);
        int choice = AttentionTile.choose(Math.max(shape.headDim(), shape.valueDim()), shape.queries());
        long blocks =
                (long) shape.batch() * shape.heads() * tiles(shape.queries(), AttentionTile.ALL[choice].queries());
        if (blocks == 0) {
            return;
        }
        boolean rowsFirst = shape.layout() == AttentionShape.Layout.BNHD;
        long heads = shape.heads();
        long headDim = shape.headDim();
        long valueDim = shape.valueDim();
        attentionParams
                .query(query.address())
                .key(key.address())
                .value(value.address())
                .output(out.address())
                .logSumExp(lse.address())
                .querySegments(addressOrNull("querySegments", in.querySegments()))
                .keySegments(addressOrNull("keySegments", in.keySegments()))
                .keyLengths(addressOrNull("keyLengths", in.keyLengths()))
                .queryBatchStride(heads * shape.queries() * headDim)
                .queryHeadStride(rowsFirst ? headDim : shape.queries() * headDim)
                .queryRowStride(rowsFirst ? heads * headDim : headDim)
                .keyBatchStride(heads * shape.keys() * headDim)
                .keyHeadStride(rowsFirst ? headDim : shape.keys() * headDim)
                .keyRowStride(rowsFirst ? heads * headDim : headDim)
                .valueBatchStride(heads * shape.keys() * valueDim)
                .valueHeadStride(rowsFirst ? valueDim : shape.keys() * valueDim)
                .valueRowStride(rowsFirst ? heads * valueDim : valueDim)
                .outputBatchStride(heads * shape.queries() * valueDim)
                .outputHeadStride(rowsFirst ? valueDim : shape.queries() * valueDim)
                .outputRowStride(rowsFirst ? heads * valueDim : valueDim)
                .heads(shape.heads())
                .queries(shape.queries())
                .keys(shape.keys())
                .headDim(shape.headDim())
                .valueDim(shape.valueDim())
                .windowLeft(spec.windowLeft())
                .windowRight(spec.windowRight())
                .bottomRight(spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT ? 1 : 0)
                .scale(spec.scale(shape.headDim()));
        kernels.launch(attentionForward[choice], blocks, attentionParams);
    }

    private long addressOrNull(String name, @Nullable DeviceArray array) {
        return array == null
                ? 0
                : resolve("attentionForward", name, DType.I32, array).address();
    }

    private static long tiles(long extent, int tile) {
        return (extent + tile - 1) / tile;
    }

    @Override
    public void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        throw unsupported("zip");
    }

    @Override
    public void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        throw unsupported("select");
    }

    @Override
    public void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        throw unsupported("reduce");
    }

    @Override
    public void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        throw unsupported("arrange");
    }

    @Override
    public void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        throw unsupported("gatherRows");
    }

    @Override
    public void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        throw unsupported("scatterAddRows");
    }

    @Override
    public void iota(double start, double step, DeviceArray y) {
        throw unsupported("iota");
    }

    @Override
    public void uniform(long seed, long stream, long first, DeviceArray y) {
        throw unsupported("uniform");
    }

    private UnsupportedOnBackendException unsupported(String operation) {
        return new UnsupportedOnBackendException(name(), operation);
    }

    /** One: a device takes a batch whole. */
    @Override
    public int shards(int units) {
        return 1;
    }

    @Override
    public void forEachShard(int count, IntConsumer body) {
        context.enter();
        for (int shard = 0; shard < count; shard++) {
            body.accept(shard);
        }
    }

    @Override
    public void synchronize() {
        context.enter();
        context.synchronize("synchronize");
    }

    @Override
    public void close() {
        if (context.beginClose()) {
            kernels.close();
            closeMemory();
            context.close();
        }
    }
}
