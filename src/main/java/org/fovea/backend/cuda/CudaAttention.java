package org.fovea.backend.cuda;

import java.util.List;
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
    private final List<Instance> forward;
    private final AttentionParams params;

    /** A loaded kernel. */
    private record Instance(AttentionSchedule schedule, Kernels.Kernel kernel) {}

    CudaAttention(CudaContext context) {
        super(context);
        forward = load(AttentionSchedule.Kind.FORWARD);
        params = new AttentionParams(kernels.parameters());
    }

    private List<Instance> load(AttentionSchedule.Kind kind) {
        return AttentionSchedule.all(kind, "f32").stream()
                .map(schedule -> new Instance(
                        schedule,
                        kernels.find(schedule.kernelName(), AttentionSchedule.THREADS, schedule.maxSharedBytes())))
                .toList();
    }

    /** Launches the first of {@code instances} that fits, on {@code stationary} rows a head. */
    private void launch(List<Instance> instances, AttentionShape shape, int stationary) {
        int dim = Math.max(shape.headDim(), shape.valueDim());
        int longest = Math.max(shape.queries(), shape.keys());
        for (Instance instance : instances) {
            AttentionSchedule schedule = instance.schedule;
            if (schedule.fits(dim, longest)) {
                long blocks = schedule.blocks((long) shape.batch() * shape.heads(), stationary, longest);
                kernels.launch(
                        instance.kernel, blocks, schedule.threads(longest), schedule.sharedBytes(longest), params);
                return;
            }
        }
        throw new IllegalStateException("no attention kernel for " + shape);
    }

    @Override
    public final void attentionForward(
            AttentionShape shape, AttentionSpec spec, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        AttentionShapes.forward(shape, in, output, logSumExp);
        String operation = "attentionForward";
        CudaArray[] inputs = describe(operation, shape, spec, in);
        CudaArray out = floats(operation, "output", output);
        CudaArray lse = floats(operation, "logSumExp", logSumExp);
        requireApart(operation, out, inputs);
        requireApart(operation, lse, inputs);
        requireApart(operation, out, lse);
        params.output(out.address()).logSumExp(lse.address());
        if (shape.logSumExpSize() > 0) {
            launch(forward, shape, shape.queries());
        }
    }

    /** Writes the parameters that all kernels need, and 0 for the others; query, key and value. */
    private CudaArray[] describe(String operation, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        CudaArray query = floats(operation, "query", in.query());
        CudaArray key = floats(operation, "key", in.key());
        CudaArray value = floats(operation, "value", in.value());
        boolean rowsFirst = shape.layout() == AttentionShape.Layout.BNHD;
        long heads = shape.heads();
        long headDim = shape.headDim();
        long valueDim = shape.valueDim();
        params.query(query.address())
                .key(key.address())
                .value(value.address())
                .output(0)
                .logSumExp(0)
                .dOutput(0)
                .dLogSumExp(0)
                .delta(0)
                .dQuery(0)
                .dKey(0)
                .dValue(0)
                .querySegments(addressOrNull(operation, "querySegments", in.querySegments()))
                .keySegments(addressOrNull(operation, "keySegments", in.keySegments()))
                .keyLengths(addressOrNull(operation, "keyLengths", in.keyLengths()))
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
                .batch(shape.batch())
                .heads(shape.heads())
                .queries(shape.queries())
                .keys(shape.keys())
                .headDim(shape.headDim())
                .valueDim(shape.valueDim())
                .windowLeft(spec.windowLeft())
                .windowRight(spec.windowRight())
                .bottomRight(spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT ? 1 : 0)
                .tf32(0)
                .scale(spec.scale(shape.headDim()));
        return new CudaArray[] {query, key, value};
    }

    private long addressOrNull(String operation, String name, @Nullable DeviceArray array) {
        return array == null ? 0 : resolve(operation, name, DType.I32, array).address();
    }
}
