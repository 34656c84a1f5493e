// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static java.util.Objects.requireNonNull;

import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * One attention through the float32 kernels of {@link FusedPasses}, whatever its similarity and the type of its arrays:
 * these are widened and rounded, and queries and keys mapped to rows whose dot products are the similarity. Takes memory in
 * proportion to the arrays.
 */
public final class FusedAttention {
    private final FusedPasses passes;
    private final FloatArrays floats;
    private final boolean half;

    /** What is computed, of mapped rows. */
    private final AttentionCall<CpuArray> call;

    private final AttentionShape shape;
    private final @Nullable SimilarityRows queries;
    private final @Nullable SimilarityRows keys;

    private FusedAttention(FusedPasses passes, DotProducts products, FloatArrays floats, boolean half) {
        this.passes = passes;
        this.floats = floats;
        this.half = half;
        call = products.call();
        shape = call.shape();
        queries = products.queries();
        keys = products.keys();
    }

    /** Whether the float32 kernels know all that is asked for; what they don't is computed as a series. */
    public static boolean supports(AttentionCall<? extends DeviceArray> call) {
        AttentionShape shape = call.shape();
        AttentionSpec spec = call.spec();
        return call.query().dtype() != DType.F64
                && DotProducts.columns(spec, shape.headDim()) <= AttentionShape.MAX_HEAD_DIM
                && AttentionSoftcap.supports(spec)
                && (call.mask().alibiSlopes() == null || spec.pastKeys() <= shape.keys())
                // Gradients of scores are held multiplied by the scale; those of bias and sink are obtained by
                // dividing.
                && isModest(spec.scale(shape.headDim()), call.bias() == null && call.sink() == null);
    }

    private static boolean isModest(double scale, boolean orTiny) {
        return (orTiny || Math.abs(scale) > 1e-6) && Math.abs(scale) < 1e6;
    }

    /**
     * Widens and maps the operands of a call.
     *
     * @param floats where arrays come from that are used until the end of the call
     * @return null if the kernels don't know all that is asked for, or float32 has not the range or the digits for it
     */
    public static @Nullable FusedAttention of(
            FusedPasses passes, Workers workers, AttentionCall<CpuArray> call, FloatArrays floats) {
        if (!supports(call) || !ScoreRange.isModest(call)) {
            return null;
        }
        DotProducts products = DotProducts.of(call.map(floats::read), floats, workers);
        boolean half = call.query().dtype().isHalf();
        return products == null ? null : new FusedAttention(passes, products, floats, half);
    }

    /**
     * Elements of the state of an attention: what {@link FusedPasses} saves of rows, and of 16-bit types the output before it
     * is rounded, unless a single block of keys makes do without.
     */
    public static long stateSize(AttentionCall<? extends DeviceArray> call) {
        AttentionShape shape = call.shape();
        boolean rounded = call.query().dtype().isHalf() && shape.keys() > AttentionScratch.KEYS;
        return FusedPasses.savedSize(shape) + (rounded ? shape.outputSize() : 0);
    }

    /** The numbers of the output that gradients take. */
    private CpuArray unrounded(CpuArray output, CpuArray state) {
        long rows = FusedPasses.savedSize(shape);
        return state.length > rows ? (CpuArray) state.slice(rows, shape.outputSize()) : floats.read(output);
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#forward}. */
    public void forward(CpuArray output, CpuArray logSumExp, @Nullable CpuArray state) {
        CpuArray target = half && state != null && state.length > FusedPasses.savedSize(shape)
                ? floats.write(output, unrounded(output, state))
                : floats.write(output);
        passes.forward(call, target, logSumExp, state);
        floats.store();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#backward}. */
    public void backward(
            CpuArray output, CpuArray state, AttentionPlane<CpuArray> dOutputs, AttentionPlane<CpuArray> gradients) {
        AttentionPlane<CpuArray> targets = gradients.map(floats::write);
        AttentionPlane<CpuArray> mapped = mappedTargets(targets);
        passes.backward(call, unrounded(output, state), state, dOutputs.map(floats::read), mapped);
        if (queries != null && keys != null) {
            queries.pullBack(requireNonNull(mapped.query()), requireNonNull(targets.query()));
            keys.pullBack(requireNonNull(mapped.key()), requireNonNull(targets.key()));
        }
        floats.store();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#tangent}. */
    public void tangent(CpuArray state, AttentionPlane<CpuArray> tangents, AttentionPlane<CpuArray> outputTangents) {
        passes.tangent(call, state, mappedTangents(tangents.map(floats::read)), outputTangents.map(floats::write));
        floats.store();
    }

    /** As {@link org.fovea.backend.attention.AttentionOps#backwardTangent}. */
    public void backwardTangent(
            CpuArray output,
            CpuArray state,
            AttentionPlane<CpuArray> dOutputs,
            AttentionPlane<CpuArray> tangents,
            AttentionPlane<CpuArray> results) {
        AttentionPlane<CpuArray> dO = dOutputs.map(floats::read);
        AttentionPlane<CpuArray> given = tangents.map(floats::read);
        AttentionPlane<CpuArray> targets = results.map(floats::write);
        AttentionPlane<CpuArray> mapped = mappedTargets(targets);
        passes.backwardTangent(call, state, dO, mappedTangents(given), mapped);
        if (queries != null && keys != null) {
            AttentionPlane<CpuArray> first = mappedGradients(queries, keys, output, state, dO);
            pullBackTangents(queries, given.query(), first.query(), mapped.query(), targets.query());
            pullBackTangents(keys, given.key(), first.key(), mapped.key(), targets.key());
        }
        floats.store();
    }

    private static void pullBackTangents(
            SimilarityRows rows,
            @Nullable CpuArray tangents,
            @Nullable CpuArray gradients,
            @Nullable CpuArray gradientTangents,
            @Nullable CpuArray target) {
        rows.pullBackTangents(
                requireNonNull(tangents), gradients, requireNonNull(gradientTangents), requireNonNull(target));
    }

    /** The gradients for mapped queries and keys; none if their tangents alone do. */
    private AttentionPlane<CpuArray> mappedGradients(
            SimilarityRows ofQueries,
            SimilarityRows ofKeys,
            CpuArray output,
            CpuArray state,
            AttentionPlane<CpuArray> dOutputs) {
        if (!ofQueries.needsGradients()) {
            return AttentionPlane.none();
        }
        AttentionPlane<CpuArray> gradients =
                AttentionPlane.inputs(ofQueries.allocate(), ofKeys.allocate(), floats.allocate(shape.valueSize()));
        passes.backward(call, unrounded(output, state), state, dOutputs, gradients);
        return gradients;
    }

    private AttentionPlane<CpuArray> mappedTangents(AttentionPlane<CpuArray> x) {
        return queries == null || keys == null
                ? x
                : x.withRows(
                        queries.mapTangents(requireNonNull(x.query())),
                        keys.mapTangents(requireNonNull(x.key())),
                        x.value());
    }

    private AttentionPlane<CpuArray> mappedTargets(AttentionPlane<CpuArray> x) {
        return queries == null || keys == null ? x : x.withRows(queries.allocate(), keys.allocate(), x.value());
    }
}
