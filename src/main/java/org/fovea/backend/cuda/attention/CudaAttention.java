package org.fovea.backend.cuda.attention;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.attention.series.CudaSeries;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.math.CudaRows;
import org.fovea.backend.cuda.params.AttentionParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/**
 * Attention as kernel launches. Queries, keys, values and what has their layout may be F32, BF16 or F16. There are kernels
 * for tensor cores, which know what language models need; for all else there is {@link CudaSeries}.
 */
abstract class CudaAttention extends CudaRows implements AttentionOps {
    /** Threads of a block that adds up the gradient of one head's sink. */
    private static final int SINK_THREADS = 256;

    private final Map<AttentionSchedule.Kind, Map<DType, List<Instance>>> instances =
            new EnumMap<>(AttentionSchedule.Kind.class);
    private final Kernels.Kernel sinkKernel;
    private final AttentionParams params;
    final CudaSeries series;

    /** A loaded kernel. */
    private record Instance(AttentionSchedule schedule, Kernels.Kernel kernel) {}

    CudaAttention(CudaContext context) {
        super(context);
        for (AttentionSchedule.Kind kind : AttentionSchedule.Kind.values()) {
            Map<DType, List<Instance>> ofKind = new EnumMap<>(DType.class);
            for (DType storage : List.of(DType.F32, DType.BF16, DType.F16)) {
                ofKind.put(storage, load(kind, storage));
            }
            instances.put(kind, ofKind);
        }
        sinkKernel = kernels.find("attention_sink", SINK_THREADS, 0);
        params = new AttentionParams(kernels.parameters());
        series = new CudaSeries(this, kernels);
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
    static boolean isForTensorCores(AttentionSpec spec, AttentionInputs in) {
        return in.bias() == null
                && in.mask() == null
                && in.alibiSlopes() == null
                && in.querySequences() == null
                && spec.similarity() == AttentionSpec.Similarity.DOT
                && spec.softcap() == 0
                && spec.dropout() == 0;
    }

    /**
     * For tensor cores, in this order: per query the largest product with a key, a normalizer, and, if there is a sink, its
     * probability; then, of 16-bit types, the output before it was rounded.
     */
    @Override
    public final long stateSize(AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        if (!isForTensorCores(spec, in)) {
            return CudaSeries.stateSize(shape, in);
        }
        boolean rounded = in.query().dtype().isHalf();
        return scalarsOfState(in) * shape.logSumExpSize() + (rounded ? shape.outputSize() : 0);
    }

    private static long scalarsOfState(AttentionInputs in) {
        return in.sink() == null ? 2 : 3;
    }

    @Override
    public final void forward(AttentionShape shape, AttentionSpec spec, AttentionInputs in, AttentionOutputs outputs) {
        String operation = "attentionForward";
        AttentionChecks.forward(shape, in, outputs, stateSize(shape, spec, in));
        if (!isForTensorCores(spec, in)) {
            series.forward(new CudaSeries.Problem(operation, shape, spec, in), outputs);
            return;
        }
        CudaArray[] inputs = rows(operation, in);
        CudaArray out = floating(operation, "output", outputs.output());
        CudaArray lse = floats(operation, "logSumExp", outputs.logSumExp());
        requireApart(operation, out, inputs);
        requireApart(operation, lse, inputs);
        requireApart(operation, out, lse);
        if (outputs.state() != null) {
            CudaArray state = floats(operation, "state", outputs.state());
            requireApart(operation, state, inputs);
            requireApart(operation, state, out, lse);
        }
        describe(operation, shape, spec, in, outputs).logSumExp(lse.address());
        if (!launch(AttentionSchedule.Kind.FORWARD_WHOLE, shape, out.dtype())) {
            launch(AttentionSchedule.Kind.FORWARD, shape, out.dtype());
        }
    }

    @Override
    public final void backward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionOutputs outputs,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        String operation = "attentionBackward";
        AttentionChecks.backward(shape, in, outputs, stateSize(shape, spec, in), dOutput, dLogSumExp, gradients);
        if (!isForTensorCores(spec, in)) {
            series.compute(
                    new CudaSeries.Problem(operation, shape, spec, in),
                    SeriesRing.NUMBERS,
                    List.of(outputs(dOutput, dLogSumExp)),
                    List.of(arguments(gradients)),
                    outputs);
            return;
        }
        CudaArray[] inputs = rows(operation, in);
        CudaArray out = floating(operation, "output", outputs.output());
        // There is none where there are no rows.
        CudaArray state = outputs.state() == null ? out : floats(operation, "state", outputs.state());
        CudaArray dOut = floating(operation, "dOutput", dOutput);
        CudaArray dLse = dLogSumExp == null ? null : floats(operation, "dLogSumExp", dLogSumExp);
        List<CudaArray> results = new ArrayList<>(List.of(
                floating(operation, "dQuery", gradients.query()),
                floating(operation, "dKey", gradients.key()),
                floating(operation, "dValue", gradients.value())));
        if (gradients.sink() != null) {
            results.add(floats(operation, "dSink", gradients.sink()));
        }
        for (int i = 0; i < results.size(); i++) {
            requireApart(operation, results.get(i), inputs);
            requireApart(operation, results.get(i), out, state, dOut);
            if (dLse != null) {
                requireApart(operation, results.get(i), dLse);
            }
            requireApart(operation, results.get(i), results.subList(0, i).toArray(new CudaArray[0]));
        }
        try (Scope scope = openScope()) {
            CudaArray delta = floats(operation, "delta", scope.allocate(DType.F32, shape.logSumExpSize()));
            Runnable describe = () -> describe(operation, shape, spec, in, outputs)
                    .dOutput(dOut.address())
                    .dLogSumExp(dLse == null ? 0 : dLse.address())
                    .delta(delta.address())
                    .dQuery(results.get(0).address())
                    .dKey(results.get(1).address())
                    .dValue(results.get(2).address());
            describe.run();
            if (!launch(AttentionSchedule.Kind.BACKWARD_WHOLE, shape, out.dtype())) {
                launch(AttentionSchedule.Kind.BACKWARD_ROWS, shape, out.dtype());
                describe.run();
                launch(AttentionSchedule.Kind.BACKWARD_COLUMNS, shape, out.dtype());
            }
            if (gradients.sink() != null) {
                describe.run();
                launchSink(shape, results.get(3));
            }
        }
    }

    @Override
    public final void series(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results) {
        AttentionChecks.series(shape, in, ring, arguments, results);
        series.compute(new CudaSeries.Problem("attentionSeries", shape, spec, in), ring, arguments, results, null);
    }

    @Override
    public final void weights(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionOutputs outputs,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights) {
        AttentionChecks.weights(shape, in, outputs, stateSize(shape, spec, in), firstQuery, weights);
        series.weights(new CudaSeries.Problem("attentionWeights", shape, spec, in), stage, firstQuery, weights);
    }

    /** A plane of output and log-sum-exp, or of their gradients, alone. */
    static AttentionPlane outputs(@Nullable DeviceArray output, @Nullable DeviceArray logSumExp) {
        return new AttentionPlane(null, null, null, null, null, output, logSumExp);
    }

    /** A plane of the inputs, or of their gradients, alone. */
    static AttentionPlane arguments(AttentionArguments a) {
        return new AttentionPlane(a.query(), a.key(), a.value(), a.bias(), a.sink(), null, null);
    }

    /** A plane of the sink's gradient and the log-sum-exp alone. */
    static AttentionPlane sinkAndLogSumExp(@Nullable DeviceArray sink, DeviceArray logSumExp) {
        return new AttentionPlane(null, null, null, null, sink, null, logSumExp);
    }

    private CudaArray[] rows(String operation, AttentionInputs in) {
        List<CudaArray> arrays = new ArrayList<>(List.of(
                floating(operation, "query", in.query()),
                floating(operation, "key", in.key()),
                floating(operation, "value", in.value())));
        if (in.sink() != null) {
            arrays.add(floats(operation, "sink", in.sink()));
        }
        return arrays.toArray(new CudaArray[0]);
    }

    /** Launches the best kernel of a kind with the parameters that were written; false if no instance fits. */
    final boolean launch(AttentionSchedule.Kind kind, AttentionShape shape, DType storage) {
        int dim = Math.max(shape.headDim(), shape.valueDim());
        int longest = Math.max(shape.queries(), shape.keys());
        Map<DType, List<Instance>> ofKind = Objects.requireNonNull(instances.get(kind), "kind");
        for (Instance instance : Objects.requireNonNull(ofKind.get(storage), "storage")) {
            AttentionSchedule schedule = instance.schedule;
            if (schedule.fits(dim, longest, group(shape))) {
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

    /** Heads that share a key head. */
    private static int group(AttentionShape shape) {
        return shape.keyHeads() == 0 ? 1 : shape.heads() / shape.keyHeads();
    }

    /** {@link #describe} with the output and, if there is one, the state. */
    final AttentionParams describe(
            String operation, AttentionShape shape, AttentionSpec spec, AttentionInputs in, AttentionOutputs outputs) {
        CudaArray output = floating(operation, "output", outputs.output());
        AttentionParams described = describe(operation, shape, spec, in).output(output.address());
        if (outputs.state() != null) {
            long rowBytes = shape.logSumExpSize() * Float.BYTES;
            long state = floats(operation, "state", outputs.state()).address();
            described
                    .maximum(state)
                    .normalizer(state + rowBytes)
                    .sinkShare(in.sink() == null ? 0 : state + 2 * rowBytes)
                    .exactOutput(output.dtype().isHalf() ? state + scalarsOfState(in) * rowBytes : output.address());
        }
        return described;
    }

    /** Writes the parameters that every kernel needs, and 0 for the others. */
    final AttentionParams describe(String operation, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        boolean rowsFirst = shape.layout() == AttentionShape.Layout.BNHD;
        long heads = shape.heads();
        long keyHeads = shape.keyHeads();
        long headDim = shape.headDim();
        long valueDim = shape.valueDim();
        return params.query(floating(operation, "query", in.query()).address())
                .key(floating(operation, "key", in.key()).address())
                .value(floating(operation, "value", in.value()).address())
                .sink(
                        in.sink() == null
                                ? 0
                                : floats(operation, "sink", in.sink()).address())
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
                .querySegments(addressOrNull(operation, "querySegments", in.querySegments()))
                .keySegments(addressOrNull(operation, "keySegments", in.keySegments()))
                .keyLengths(addressOrNull(operation, "keyLengths", in.keyLengths()))
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
                .group(group(shape))
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

    private long addressOrNull(String operation, String name, @Nullable DeviceArray array) {
        return array == null ? 0 : resolve(operation, name, DType.I32, array).address();
    }
}
