// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.List;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.ShapeException;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A transformer block with normalisation before each sublayer: attention, then a feed-forward layer with ReLU, each
 * added back to the element, by a sum or by GTrXL's gate.
 *
 * <p>As memory of a sequence it works in two ways that agree: {@link #forward(Tensor, Tensor, Tensor, Tensor,
 * Tensor, Tensor, int) over a segment} for training, and {@link #decode step by step} with a cache.
 */
public final class TransformerBlock {
    private final LayerNorm attentionNorm;
    private final SelfAttention attention;
    private final LayerNorm feedForwardNorm;
    private final Linear expand;
    private final Linear contract;
    private final @Nullable GruGate attentionGate;
    private final @Nullable GruGate feedForwardGate;

    /** A block whose parameters' names begin with {@code name}. */
    public TransformerBlock(Parameters parameters, String name, TransformerSettings settings) {
        int width = settings.width();
        int hidden = settings.feedForwardWidth();
        this.attentionNorm = new LayerNorm(parameters, name + ".attention.norm", width);
        this.attention = new SelfAttention(
                parameters, name + ".attention", width, settings.heads(), settings.similarity(), settings.rotary());
        this.feedForwardNorm = new LayerNorm(parameters, name + ".feed_forward.norm", width);
        this.expand = new Linear(
                parameters,
                name + ".feed_forward.expand",
                width,
                hidden,
                Initializer.orthogonal(Math.sqrt(2)),
                Activation.RELU);
        this.contract =
                new Linear(parameters, name + ".feed_forward.contract", hidden, width, Initializer.orthogonal(1));
        this.attentionGate = settings.gated() ? new GruGate(parameters, name + ".attention.gate", width) : null;
        this.feedForwardGate = settings.gated() ? new GruGate(parameters, name + ".feed_forward.gate", width) : null;
    }

    /** Elements [batch, positions, width] that attend to each other as {@code spec} and {@code mask} allow. */
    public Tensor forward(Tensor elements, AttentionSpec spec, AttentionMask<Tensor> mask) {
        return forward(elements, spec, mask, AttentionListener.NONE);
    }

    /** The same, of whose attention a listener is told. */
    public Tensor forward(Tensor elements, AttentionSpec spec, AttentionMask<Tensor> mask, AttentionListener listener) {
        Tensor residual = attentionGate == null ? elements : null;
        Tensor attended = attention.forward(attentionNorm.apply(elements), spec, mask, residual, listener);
        return feedForward(merge(attentionGate, elements, attended));
    }

    /**
     * A segment of a sequence, each element attending to itself and the {@code window - 1} before it, of its own episode,
     * some of which may lie in the memory.
     *
     * @param input [batch, steps, width]
     * @param memory the inputs of this layer that preceded, [batch, remembered, width], or null. They are mapped to keys
     *     and values by the current weights; a constant, so that no gradient flows into the past
     * @param queryPositions I32 [batch, steps], counted through memory and segment
     * @param keyPositions I32 [batch, remembered + steps], likewise
     * @param querySegments I32 [batch, steps], the episode of each element
     * @param keySegments I32 [batch, remembered + steps]
     * @return [batch, steps, width]
     */
    public Tensor forward(
            Tensor input,
            @Nullable Tensor memory,
            Tensor queryPositions,
            Tensor keyPositions,
            Tensor querySegments,
            Tensor keySegments,
            int window) {
        return forward(
                input,
                memory,
                queryPositions,
                keyPositions,
                querySegments,
                keySegments,
                window,
                AttentionListener.NONE);
    }

    /** The same, of whose attention a listener is told. */
    public Tensor forward(
            Tensor input,
            @Nullable Tensor memory,
            Tensor queryPositions,
            Tensor keyPositions,
            Tensor querySegments,
            Tensor keySegments,
            int window,
            AttentionListener listener) {
        if (window < 1) {
            throw new IllegalArgumentException("window must be at least 1: " + window);
        }
        int remembered = memory == null ? 0 : memory.size(1);
        int end = remembered + input.size(1);
        if (keyPositions.length() != (long) input.size(0) * end) {
            throw new ShapeException(
                    "transformer block",
                    "key positions " + keyPositions + " for input " + input + " and memory " + memory);
        }
        Tensor context = memory == null ? input : Tensor.concat(1, List.of(memory, input));
        Tensor normal = attentionNorm.apply(context);
        Tensor attended = attention.attend(
                normal.slice(1, remembered, end),
                queryPositions,
                normal,
                keyPositions,
                AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT).withWindow(window - 1, 0),
                AttentionMask.segments(querySegments, keySegments),
                attentionGate == null ? input : null,
                listener);
        return feedForward(merge(attentionGate, input, attended));
    }

    /**
     * One step of every sequence of a batch. Values only: no gradient flows through the cache.
     *
     * @param input [batch, width]
     * @param cache receives the new keys and values
     * @return [batch, width]
     */
    public Tensor decode(Tensor input, KeyValueCache cache, DecodingStep step) {
        Tensor elements = input.reshape(input.size(0), 1, input.size(1));
        Tensor residual = attentionGate == null ? elements : null;
        Tensor attended = attention.attendToCache(attentionNorm.apply(elements), cache, step, residual);
        return feedForward(merge(attentionGate, elements, attended)).reshape(input.shape());
    }

    /**
     * Fills the cache with what remembered inputs of this layer are under the current weights.
     *
     * @param memory [batch, remembered, width], at most the cache's capacity
     * @param firstPosition position of the first of them
     */
    public void fillCache(Tensor memory, KeyValueCache cache, int firstPosition) {
        attention.remember(attentionNorm.apply(memory), cache, firstPosition);
    }

    private Tensor feedForward(Tensor elements) {
        Tensor hidden = expand.apply(feedForwardNorm.apply(elements));
        return merge(feedForwardGate, elements, contract.apply(hidden, feedForwardGate == null ? elements : null));
    }

    /**
     * The residual connection, which a sublayer makes itself where there is no gate. GTrXL applies ReLU to the update before its
     * gate.
     */
    private static Tensor merge(@Nullable GruGate gate, Tensor elements, Tensor update) {
        return gate == null ? update : gate.apply(elements, update.relu());
    }
}
