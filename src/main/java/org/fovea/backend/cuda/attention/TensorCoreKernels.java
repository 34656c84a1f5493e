// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention;

import static org.fovea.backend.cuda.attention.series.CudaOperands.address;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.params.AttentionParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/** The kernels of {@code kernels/attention} for tensor cores, their parameters, and the choice among their instances. */
final class TensorCoreKernels {
    /** Threads of a block that adds up the gradient of one head's sink. */
    private static final int SINK_THREADS = 256;

    private final CudaContext context;
    private final CudaKernels kernels;
    private final Map<AttentionSchedule.Kind, Map<DType, List<Instance>>> instances =
            new EnumMap<>(AttentionSchedule.Kind.class);
    private final CudaKernels.Kernel sinkKernel;
    private final AttentionParams params;

    /** A loaded kernel. */
    private record Instance(AttentionSchedule schedule, CudaKernels.Kernel kernel) {}

    TensorCoreKernels(CudaContext context, CudaKernels kernels) {
        this.context = context;
        this.kernels = kernels;
        for (AttentionSchedule.Kind kind : AttentionSchedule.Kind.values()) {
            Map<DType, List<Instance>> ofKind = new EnumMap<>(DType.class);
            for (DType storage : List.of(DType.F32, DType.BF16, DType.F16)) {
                ofKind.put(storage, load(kind, storage));
            }
            instances.put(kind, ofKind);
        }
        sinkKernel = kernels.find("attention_sink", SINK_THREADS, 0);
        params = new AttentionParams(kernels.parameters());
    }

    private List<Instance> load(AttentionSchedule.Kind kind, DType storage) {
        return AttentionSchedule.all(kind, storage, context.settings().precision()).stream()
                .map(schedule -> new Instance(
                        schedule, kernels.find(schedule.kernelName(), schedule.threads(1), schedule.maxSharedBytes())))
                .toList();
    }

    /**
     * Whether a call needs nothing but scaled dot products, keys hidden by position, segment and length, and a sink; with
     * or without grouped heads.
     */
    static boolean take(AttentionCall<? extends DeviceArray> call) {
        AttentionSpec spec = call.spec();
        return call.bias() == null
                && call.mask().scores() == null
                && call.mask().alibiSlopes() == null
                && call.mask().querySequences() == null
                && spec.similarity() == AttentionSpec.Similarity.DOT
                && spec.softcap() == 0
                && spec.dropout() == 0;
    }

    /**
     * Elements of the state, in this order: per query the largest product with a key, a normalizer, and, if there is a sink,
     * its probability; then, of 16-bit types, the output before it was rounded.
     */
    static long stateSize(AttentionCall<? extends DeviceArray> call) {
        boolean rounded = call.query().dtype().isHalf();
        AttentionShape shape = call.shape();
        return scalarsOfState(call) * shape.logSumExpSize() + (rounded ? shape.outputSize() : 0);
    }

    private static long scalarsOfState(AttentionCall<? extends DeviceArray> call) {
        return call.sink() == null ? 2 : 3;
    }

    /** Launches the best kernel of a kind with the parameters that were written; false if no instance fits. */
    boolean launch(AttentionSchedule.Kind kind, AttentionShape shape, DType storage) {
        int dim = Math.max(shape.headDim(), shape.valueDim());
        int longest = Math.max(shape.queries(), shape.keys());
        Map<DType, List<Instance>> ofKind = Objects.requireNonNull(instances.get(kind), "kind");
        for (Instance instance : Objects.requireNonNull(ofKind.get(storage), "storage")) {
            AttentionSchedule schedule = instance.schedule;
            if (schedule.fits(dim, longest, shape.group())) {
                int heads = kind.ofKeys() ? shape.keyHeads() : shape.heads();
                int stationary = kind.ofKeys() ? shape.keys() : shape.queries();
                long blocks = schedule.blocks((long) shape.batch() * heads, stationary, longest);
                if (blocks > 0) {
                    int threads = schedule.threads(longest);
                    kernels.launch(instance.kernel, blocks, threads, schedule.sharedBytes(longest), params);
                }
                return true;
            }
        }
        return false;
    }

    /** Launches the sum over queries of the gradient of the sink, or of its tangent, with the parameters that were written. */
    void launchSink(AttentionShape shape, CudaArray dSink) {
        if (shape.heads() > 0) {
            params.dSink(dSink.address());
            kernels.launch(sinkKernel, shape.heads(), params);
        }
    }

    /** Writes the parameters that every kernel needs and those of the outputs, and 0 for the others. */
    AttentionParams describe(AttentionCall<CudaArray> call, AttentionOutputs<CudaArray> out) {
        AttentionParams described = describe(call).output(out.output().address());
        if (out.state() != null) {
            long rowBytes = call.shape().logSumExpSize() * Float.BYTES;
            long state = out.state().address();
            long afterScalars = state + scalarsOfState(call) * rowBytes;
            described
                    .maximum(state)
                    .normalizer(state + rowBytes)
                    .sinkShare(call.sink() == null ? 0 : state + 2 * rowBytes)
                    .exactOutput(
                            out.output().dtype().isHalf()
                                    ? afterScalars
                                    : out.output().address());
        }
        return described;
    }

    /** The same, and the parameters of tangents. */
    AttentionParams describe(
            AttentionCall<CudaArray> call,
            AttentionOutputs<CudaArray> out,
            AttentionPlane<CudaArray> tangents,
            AttentionPlane<CudaArray> outputTangents) {
        return describe(call, out)
                .queryTangent(address(tangents.query()))
                .keyTangent(address(tangents.key()))
                .valueTangent(address(tangents.value()))
                .sinkTangent(address(tangents.sink()))
                .outputTangent(address(outputTangents.output()))
                .logSumExpTangent(address(outputTangents.logSumExp()));
    }

    private AttentionParams describe(AttentionCall<CudaArray> call) {
        AttentionShape shape = call.shape();
        AttentionSpec spec = call.spec();
        AttentionMask<CudaArray> mask = call.mask();
        boolean rowsFirst = shape.layout() == AttentionShape.Layout.BNHD;
        long heads = shape.heads();
        long keyHeads = shape.keyHeads();
        long headDim = shape.headDim();
        long valueDim = shape.valueDim();
        return params.query(call.query().address())
                .key(call.key().address())
                .value(call.value().address())
                .sink(address(call.sink()))
                .output(0)
                .logSumExp(0)
                .maximum(0)
                .normalizer(0)
                .sinkShare(0)
                .exactOutput(0)
                .dOutput(0)
                .dLogSumExp(0)
                .delta(0)
                .dQuery(0)
                .dKey(0)
                .dValue(0)
                .queryTangent(0)
                .keyTangent(0)
                .valueTangent(0)
                .sinkTangent(0)
                .dOutputTangent(0)
                .dLogSumExpTangent(0)
                .outputTangent(0)
                .logSumExpTangent(0)
                .deltaTangent(0)
                .fittedDelta(0)
                .fittedDeltaTangent(0)
                .dSink(0)
                .querySegments(address(mask.querySegments()))
                .keySegments(address(mask.keySegments()))
                .keyLengths(address(mask.keyLengths()))
                .queryBatchStride(heads * shape.queries() * headDim)
                .queryHeadStride(rowsFirst ? headDim : shape.queries() * headDim)
                .queryRowStride(rowsFirst ? heads * headDim : headDim)
                .keyBatchStride(keyHeads * shape.keys() * headDim)
                .keyHeadStride(rowsFirst ? headDim : shape.keys() * headDim)
                .keyRowStride(rowsFirst ? keyHeads * headDim : headDim)
                .valueBatchStride(keyHeads * shape.keys() * valueDim)
                .valueHeadStride(rowsFirst ? valueDim : shape.keys() * valueDim)
                .valueRowStride(rowsFirst ? keyHeads * valueDim : valueDim)
                .outputBatchStride(heads * shape.queries() * valueDim)
                .outputHeadStride(rowsFirst ? valueDim : shape.queries() * valueDim)
                .outputRowStride(rowsFirst ? heads * valueDim : valueDim)
                .batch(shape.batch())
                .heads(shape.heads())
                .group(shape.group())
                .queries(shape.queries())
                .keys(shape.keys())
                .headDim(shape.headDim())
                .valueDim(shape.valueDim())
                .windowLeft(spec.windowLeft())
                .windowRight(spec.windowRight())
                .bottomRight(spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT ? 1 : 0)
                .pastKeys(spec.pastKeys())
                .scale((float) spec.scale(shape.headDim()));
    }
}
