package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/**
 * One attention through the float32 kernels of {@link CpuAttention}, whatever its similarity and the type of its arrays:
 * these are widened and rounded, and queries and keys mapped to rows whose dot products are the similarity. Takes memory in
 * proportion to the arrays.
 */
public final class FusedAttention {
    private final CpuAttention attention;
    private final FloatArrays floats;
    private final boolean half;

    /** What is computed, of mapped rows. */
    private final AttentionShape shape;

    private final AttentionSpec spec;
    private final AttentionArrays in;
    private final @Nullable SimilarityRows queries;
    private final @Nullable SimilarityRows keys;

    private FusedAttention(CpuAttention attention, DotProducts products, FloatArrays floats, boolean half) {
        this.attention = attention;
        this.floats = floats;
        this.half = half;
        shape = products.shape();
        spec = products.spec();
        in = products.in();
        queries = products.queries();
        keys = products.keys();
    }

    /**
     * @param floats where arrays come from that are used until the end of the call
     * @return null if float32 has not the digits for it
     */
    static @Nullable public FusedAttention of(
            CpuAttention attention,
            Workers workers,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionArrays in,
            FloatArrays floats) {
        boolean half = in.query().dtype().isHalf();
        AttentionArrays wide = in.with(floats.read(in.query()), floats.read(in.key()), floats.read(in.value()));
        DotProducts products = DotProducts.of(shape, spec, wide, floats, workers);
        return products == null ? null : new FusedAttention(attention, products, floats, half);
    }

    /**
     * Elements of the state of an attention: what {@link CpuAttention} saves of rows, and of 16-bit types the output before it
     * is rounded, unless a single block of keys makes do without.
     */
    public static long stateSize(AttentionShape shape, boolean half) {
        return CpuAttention.savedSize(shape) + (half && shape.keys() > AttentionScratch.KEYS ? shape.outputSize() : 0);
    }

    /** The numbers of the output that gradients take. */
    private CpuArray unrounded(CpuArray output, CpuArray state) {
        long rows = CpuAttention.savedSize(shape);
        return state.length > rows ? (CpuArray) state.slice(rows, shape.outputSize()) : floats.read(output);
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#forward}. */
    public void forward(CpuArray output, CpuArray logSumExp, @Nullable CpuArray state) {
        CpuArray target = half && state != null && state.length > CpuAttention.savedSize(shape)
                ? floats.write(output, unrounded(output, state))
                : floats.write(output);
        attention.forward(shape, spec, in, target, logSumExp, state);
        floats.store();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#backward}. */
    public void backward(
            CpuArray output,
            CpuArray state,
            CpuArray dOutput,
            @Nullable CpuArray dLogSumExp,
            ArgumentArrays gradients) {
        ArgumentArrays targets = targets(gradients);
        ArgumentArrays mapped = mappedTargets(targets);
        CpuArray given = floats.read(dOutput);
        attention.backward(shape, spec, in, unrounded(output, state), state, given, dLogSumExp, mapped);
        if (queries != null && keys != null) {
            queries.pullBack(mapped.query(), targets.query());
            keys.pullBack(mapped.key(), targets.key());
        }
        floats.store();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#tangent}. */
    public void tangent(ArgumentArrays tangents, CpuArray state, CpuArray outputTangent, CpuArray logSumExpTangent) {
        ArgumentArrays mapped = mappedTangents(wide(tangents));
        attention.tangent(shape, spec, in, mapped, state, floats.write(outputTangent), logSumExpTangent);
        floats.store();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#backwardTangent}. */
    public void backwardTangent(
            ArgumentArrays tangents,
            CpuArray output,
            CpuArray state,
            OutputGradientArrays gradients,
            CpuArray outputTangent,
            CpuArray logSumExpTangent,
            ArgumentArrays gradientTangents) {
        ArgumentArrays given = wide(tangents);
        ArgumentArrays targets = targets(gradientTangents);
        ArgumentArrays mapped = mappedTargets(targets);
        OutputGradientArrays dOutputs = new OutputGradientArrays(
                floats.read(gradients.dOutput()),
                gradients.dLogSumExp(),
                floats.readIfPresent(gradients.dOutputTangent()),
                gradients.dLogSumExpTangent());
        attention.backwardTangent(
                shape,
                spec,
                in,
                mappedTangents(given),
                state,
                dOutputs,
                floats.write(outputTangent),
                logSumExpTangent,
                mapped);
        if (queries != null && keys != null) {
            ArgumentArrays first = mappedGradients(queries, keys, output, state, dOutputs);
            CpuArray dQuery = first == null ? null : first.query();
            CpuArray dKey = first == null ? null : first.key();
            queries.pullBackTangents(given.query(), dQuery, mapped.query(), targets.query());
            keys.pullBackTangents(given.key(), dKey, mapped.key(), targets.key());
        }
        floats.store();
    }

    /** The gradients for mapped queries and keys, if their tangents alone don't do. */
    private @Nullable ArgumentArrays mappedGradients(
            SimilarityRows ofQueries,
            SimilarityRows ofKeys,
            CpuArray output,
            CpuArray state,
            OutputGradientArrays given) {
        if (!ofQueries.needsGradients()) {
            return null;
        }
        ArgumentArrays gradients = new ArgumentArrays(
                ofQueries.allocate(), ofKeys.allocate(), floats.allocate(shape.valueSize()), null, null);
        attention.backward(
                shape, spec, in, unrounded(output, state), state, given.dOutput(), given.dLogSumExp(), gradients);
        return gradients;
    }

    private ArgumentArrays wide(ArgumentArrays x) {
        return x.with(floats.read(x.query()), floats.read(x.key()), floats.read(x.value()));
    }

    private ArgumentArrays mappedTangents(ArgumentArrays x) {
        return queries == null || keys == null
                ? x
                : x.with(queries.mapTangents(x.query()), keys.mapTangents(x.key()), x.value());
    }

    private ArgumentArrays targets(ArgumentArrays x) {
        return x.with(floats.write(x.query()), floats.write(x.key()), floats.write(x.value()));
    }

    private ArgumentArrays mappedTargets(ArgumentArrays x) {
        return queries == null || keys == null ? x : x.with(queries.allocate(), keys.allocate(), x.value());
    }
}
