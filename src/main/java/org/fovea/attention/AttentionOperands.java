package org.fovea.attention;

import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of one attention. Gradients flow into all but the mask.
 *
 * @param query [batch, heads, queries, headDim], or [batch, queries, heads, headDim] by {@code layout}
 * @param key likewise with keys in place of queries. It may have fewer heads: query head h reads key head {@code h / (heads /
 *     keyHeads)}
 * @param value shaped like the key, but its last axis may have a length of its own
 * @param bias added to the scaled similarities, before any softcap: [batch or 1, heads or 1, queries or 1, keys or 1], or null;
 *     or, by relative position, [batch or 1, heads or 1, 2 reach + 1]
 * @param sink [heads] or null: a score without a value, which takes its part of each query's probability
 */
public record AttentionOperands(
        Tensor query,
        Tensor key,
        Tensor value,
        @Nullable Tensor bias,
        @Nullable Tensor sink,
        AttentionMask mask,
        Layout layout) {

    /** Query, key and value in layout {@link Layout#BHND}, nothing hidden. */
    public static AttentionOperands of(Tensor query, Tensor key, Tensor value) {
        return new AttentionOperands(query, key, value, null, null, AttentionMask.NONE, Layout.BHND);
    }

    /** The same with a bias by query and key. */
    public AttentionOperands withBias(Tensor newBias) {
        requireRank(4, newBias, "bias", "[batch, heads, queries, keys]");
        return new AttentionOperands(query, key, value, newBias, sink, mask, layout);
    }

    /**
     * The same with a bias by relative position: element {@code reach + clamp(p, -reach, reach)} is added where the key stands p
     * positions after the query, both as {@link org.fovea.backend.attention.AttentionSpec} places them.
     *
     * @param newBias [batch or 1, heads or 1, 2 reach + 1]
     */
    public AttentionOperands withRelativeBias(Tensor newBias) {
        requireRank(3, newBias, "relative bias", "[batch, heads, 2 reach + 1]");
        return new AttentionOperands(query, key, value, newBias, sink, mask, layout);
    }

    /** The same with a sink. */
    public AttentionOperands withSink(Tensor newSink) {
        return new AttentionOperands(query, key, value, bias, newSink, mask, layout);
    }

    /** The same with a mask. */
    public AttentionOperands withMask(AttentionMask newMask) {
        return new AttentionOperands(query, key, value, bias, sink, newMask, layout);
    }

    /** The same with another order of axes. */
    public AttentionOperands withLayout(Layout newLayout) {
        return new AttentionOperands(query, key, value, bias, sink, mask, newLayout);
    }

    /** @throws ShapeException if query, key and value do not fit together */
    AttentionShape shape() {
        boolean fits = query.rank() == 4 && key.rank() == 4 && value.rank() == 4;
        int headAxis = layout == Layout.BHND ? 1 : 2;
        int rowAxis = 3 - headAxis;
        fits = fits
                && key.size(0) == query.size(0)
                && value.size(0) == query.size(0)
                && value.size(headAxis) == key.size(headAxis)
                && value.size(rowAxis) == key.size(rowAxis)
                && key.size(3) == query.size(3);
        if (!fits) {
            throw new ShapeException(
                    "attention", "query " + query + ", key " + key + ", value " + value + " do not fit as " + layout);
        }
        return new AttentionShape(
                query.size(0),
                query.size(headAxis),
                key.size(headAxis),
                query.size(rowAxis),
                key.size(rowAxis),
                query.size(3),
                value.size(3),
                layout);
    }

    AttentionInputs inputs() {
        return new AttentionInputs(
                query.array(),
                key.array(),
                value.array(),
                bias == null ? null : bias.rank() == 3 ? relative(bias) : byPair("bias", bias),
                array(sink),
                mask.scores() == null ? null : byPair("mask", mask.scores()),
                array(mask.alibiSlopes()),
                array(mask.querySegments()),
                array(mask.keySegments()),
                array(mask.keyLengths()),
                array(mask.querySequences()),
                array(mask.keySequences()));
    }

    private static ScoreBias byPair(String name, Tensor x) {
        requireRank(4, x, name, "[batch, heads, queries, keys]");
        return new ScoreBias(x.array(), x.size(0), x.size(1), x.size(2), x.size(3));
    }

    private static ScoreBias relative(Tensor x) {
        int length = x.size(2);
        if (length % 2 == 0) {
            throw new ShapeException(
                    "attention", "relative bias " + x + ", expected an odd number of relative positions, 2 reach + 1");
        }
        return ScoreBias.relative(x.array(), x.size(0), x.size(1), length / 2);
    }

    private static void requireRank(int rank, Tensor x, String name, String expected) {
        if (x.rank() != rank) {
            throw new ShapeException("attention", name + " " + x + ", expected " + expected);
        }
    }

    private static @Nullable DeviceArray array(@Nullable Tensor x) {
        return x == null ? null : x.array();
    }
}
