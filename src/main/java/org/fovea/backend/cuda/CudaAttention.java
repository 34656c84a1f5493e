package org.fovea.backend.cuda;

import java.util.Arrays;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionOps;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShapes;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.jspecify.annotations.Nullable;

/** Attention as kernel launches. */
abstract class CudaAttention extends CudaRows implements AttentionOps {
    private final Kernels.Kernel[] attentionForward;
    private final AttentionForwardParams attentionParams;

    CudaAttention(CudaContext context) {
        super(context);
        attentionForward = Arrays.stream(AttentionTile.ALL)
                .map(tile -> kernels.find(tile.kernelName(), AttentionTile.THREADS, tile.sharedBytes()))
                .toArray(Kernels.Kernel[]::new);
        attentionParams = new AttentionForwardParams(kernels.parameters());
    }

    @Override
    public final void attentionForward(
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
}
