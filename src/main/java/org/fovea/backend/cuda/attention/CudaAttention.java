package org.fovea.backend.cuda.attention;

import static org.fovea.backend.cuda.attention.series.CudaOperands.address;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.attention.series.CudaOperands;
import org.fovea.backend.cuda.attention.series.CudaSeries;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.params.AttentionParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/**
 * Attention as kernel launches. Queries, keys, values and what has their layout may be F32, BF16 or F16. There are kernels
 * for tensor cores, which know what language models need; for all else there is {@link CudaSeries}.
 */
abstract class CudaAttention extends AttentionBase implements AttentionOps {
    /** Threads of a block that adds up the gradient of one head's sink. */
    private static final int SINK_THREADS = 256;

    private final Map<AttentionSchedule.Kind, Map<DType, List<Instance>>> instances =
            new EnumMap<>(AttentionSchedule.Kind.class);
    private final Kernels.Kernel sinkKernel;
    private final AttentionParams params;
    final CudaSeries series;

    /** A loaded kernel. */
    private record Instance(AttentionSchedule schedule, Kernels.Kernel kernel) {}

    CudaAttention(CudaContext context, CudaMemory memory, Kernels kernels) {
        super(context, memory, kernels);
        for (AttentionSchedule.Kind kind : AttentionSchedule.Kind.values()) {
            Map<DType, List<Instance>> ofKind = new EnumMap<>(DType.class);
            for (DType storage : List.of(DType.F32, DType.BF16, DType.F16)) {
                ofKind.put(storage, load(kind, storage));
            }
            instances.put(kind, ofKind);
        }
        sinkKernel = kernels.find("attention_sink", SINK_THREADS, 0);
        params = new AttentionParams(kernels.parameters());
        series = new CudaSeries(memory, kernels);
    }

    private List<Instance> load(AttentionSchedule.Kind kind, DType storage) {
        return AttentionSchedule.all(kind, storage).stream()
                .map(schedule -> new Instance(
                        schedule, kernels.find(schedule.kernelName(), schedule.threads(1), schedule.maxSharedBytes())))
                .toList();
    }

    /**
     * Whether nothing is asked for but scaled dot products, keys hidden by position, segment and length, and a sink; with
     * or without grouped heads.
     */
    static boolean isForTensorCores(AttentionCall<? extends DeviceArray> call) {
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
     * For tensor cores, in this order: per query the largest product with a key, a normalizer, and, if there is a sink, its
     * probability; then, of 16-bit types, the output before it was rounded.
     */
    @Override
    public final long stateSize(AttentionCall<? extends DeviceArray> call) {
        if (!isForTensorCores(call)) {
            return CudaSeries.stateSize(call);
        }
        boolean rounded = call.query().dtype().isHalf();
        AttentionShape shape = call.shape();
        return scalarsOfState(call) * shape.logSumExpSize() + (rounded ? shape.outputSize() : 0);
    }

    private static long scalarsOfState(AttentionCall<? extends DeviceArray> call) {
        return call.sink() == null ? 2 : 3;
    }

    @Override
    public final void forward(AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> outputs) {
        AttentionChecks.forward(call, outputs, stateSize(call));
        CudaOperands operands = new CudaOperands(memory, "attentionForward");
        if (!isForTensorCores(call)) {
            series.forward(operands, call, outputs);
            return;
        }
        AttentionCall<CudaArray> in = operands.read(call);
        AttentionOutputs<CudaArray> out = operands.written(outputs);
        operands.requireApart();
        describe(in, out).logSumExp(out.logSumExp().address());
        DType storage = in.query().dtype();
        if (!launch(AttentionSchedule.Kind.FORWARD_WHOLE, in.shape(), storage)) {
            launch(AttentionSchedule.Kind.FORWARD, in.shape(), storage);
        }
    }

    @Override
    public final void backward(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> gradients) {
        AttentionChecks.backward(call, outputs, stateSize(call), dOutputs, gradients);
        CudaOperands operands = new CudaOperands(memory, "attentionBackward");
        if (!isForTensorCores(call)) {
            series.compute(
                    operands,
                    call,
                    SeriesRing.NUMBERS,
                    List.of(dOutputs.ofOutputs()),
                    List.of(gradients.ofInputs()),
                    outputs);
            return;
        }
        AttentionCall<CudaArray> in = operands.read(call);
        AttentionOutputs<CudaArray> out = operands.read(outputs);
        AttentionPlane<CudaArray> given = operands.read("gradient of ", dOutputs.ofOutputs());
        AttentionPlane<CudaArray> results = operands.written("gradient of ", gradients.ofInputs());
        operands.requireApart();
        AttentionShape shape = in.shape();
        DType storage = in.query().dtype();
        try (Scope scope = openScope()) {
            CudaArray delta = (CudaArray) scope.allocate(DType.F32, shape.logSumExpSize());
            Runnable describe = () -> describe(in, out)
                    .dOutput(address(given.output()))
                    .dLogSumExp(address(given.logSumExp()))
                    .delta(delta.address())
                    .dQuery(address(results.query()))
                    .dKey(address(results.key()))
                    .dValue(address(results.value()));
            describe.run();
            if (!launch(AttentionSchedule.Kind.BACKWARD_WHOLE, shape, storage)) {
                launch(AttentionSchedule.Kind.BACKWARD_ROWS, shape, storage);
                describe.run();
                launch(AttentionSchedule.Kind.BACKWARD_COLUMNS, shape, storage);
            }
            if (results.sink() != null) {
                describe.run();
                launchSink(shape, results.sink());
            }
        }
    }

    @Override
    public final void series(
            AttentionCall<DeviceArray> call,
            SeriesRing ring,
            List<AttentionPlane<DeviceArray>> arguments,
            List<AttentionPlane<DeviceArray>> results) {
        AttentionChecks.series(call, ring, arguments, results);
        series.compute(new CudaOperands(memory, "attentionSeries"), call, ring, arguments, results, null);
    }

    @Override
    public final void weights(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> outputs,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        AttentionChecks.weights(call, outputs, stateSize(call), firstQuery, weights);
        series.weights(new CudaOperands(memory, "attentionWeights"), call, stage, firstQuery, weights);
    }

    /** Launches the best kernel of a kind with the parameters that were written; false if no instance fits. */
    final boolean launch(AttentionSchedule.Kind kind, AttentionShape shape, DType storage) {
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
    final void launchSink(AttentionShape shape, CudaArray dSink) {
        if (shape.heads() > 0) {
            params.dSink(dSink.address());
            kernels.launch(sinkKernel, shape.heads(), params);
        }
    }

    /** Writes the parameters that every kernel needs and those of the outputs, and 0 for the others. */
    final AttentionParams describe(AttentionCall<CudaArray> call, AttentionOutputs<CudaArray> out) {
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
                .tf32(context.tf32() ? 1 : 0)
                .scale((float) spec.scale(shape.headDim()));
    }
}
