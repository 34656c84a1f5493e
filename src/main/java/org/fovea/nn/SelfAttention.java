// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.List;
import org.fovea.attention.Attention;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.memory.ShapeException;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Multi-head self-attention: every element is mapped to a query, a key and a value; queries are compared with keys;
 * softmax makes weights of the similarities; each element receives the weighted average of the values, mapped once more.
 */
public final class SelfAttention {
    private final int heads;
    private final int headDim;
    private final Similarity similarity;
    private final @Nullable RotaryEncoding rotary;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear output;

    /**
     * A layer with parameters {@code name.query, name.key, name.value, name.output}.
     *
     * @param similarity by which queries and keys are compared
     * @param rotary turns queries and keys by their positions; null if positions are encoded in the input
     */
    public SelfAttention(
            Parameters parameters,
            String name,
            int width,
            int heads,
            Similarity similarity,
            @Nullable RotaryEncoding rotary) {
        if (heads < 1 || width % heads != 0) {
            throw new ShapeException("self-attention " + name, "width " + width + " is not " + heads + " equal heads");
        }
        this.heads = heads;
        this.headDim = width / heads;
        this.similarity = similarity;
        this.rotary = rotary;
        Initializer orthogonal = Initializer.orthogonal(1);
        this.query = new Linear(parameters, name + ".query", width, width, orthogonal);
        this.key = new Linear(parameters, name + ".key", width, width, orthogonal);
        this.value = new Linear(parameters, name + ".value", width, width, orthogonal);
        this.output = new Linear(parameters, name + ".output", width, width, orthogonal);
    }

    /** Elements [batch, positions, width] attend to each other as {@code spec} and {@code mask} allow. */
    public Tensor forward(Tensor elements, AttentionSpec spec, AttentionMask<Tensor> mask) {
        return forward(elements, spec, mask, null, AttentionListener.NONE);
    }

    /** @param added to the result */
    Tensor forward(
            Tensor elements,
            AttentionSpec spec,
            AttentionMask<Tensor> mask,
            @Nullable Tensor added,
            AttentionListener listener) {
        Tensor positions = RotaryEncoding.positions(elements.tape(), elements.size(0), 0, elements.size(1));
        return attend(elements, positions, elements, positions, spec, mask, added, listener);
    }

    /** Every element attends to every other. */
    public Tensor forward(Tensor elements) {
        return forward(elements, AttentionSpec.DEFAULT, AttentionMask.none());
    }

    /**
     * Some elements attend to others.
     *
     * @param queryInputs [batch, queries, width]
     * @param queryPositions I32 [batch, queries]
     * @param keyInputs [batch, keys, width]
     * @param keyPositions I32 [batch, keys]
     * @param added to the result, or null
     */
    Tensor attend(
            Tensor queryInputs,
            Tensor queryPositions,
            Tensor keyInputs,
            Tensor keyPositions,
            AttentionSpec spec,
            AttentionMask<Tensor> mask,
            @Nullable Tensor added,
            AttentionListener listener) {
        List<Tensor> mapped = Linear.apply(List.of(query, key, value), List.of(queryInputs, keyInputs, keyInputs));
        List<Tensor> turned = rotate(mapped.get(0), queryPositions, mapped.get(1), keyPositions);
        AttentionCall<Tensor> call = Attention.call(
                        inHeads(turned.get(0)),
                        inHeads(turned.get(1)),
                        inHeads(mapped.get(2)),
                        compared(spec),
                        Layout.BNHD)
                .withMask(mask);
        Attention.Result averages = Attention.apply(call);
        listener.attended(call, averages);
        return output.apply(averages.output().reshape(queryInputs.shape()), added);
    }

    /** Puts keys and values of elements [batch, count, width] at positions {@code first, ...} into the cache. */
    void remember(Tensor elements, KeyValueCache cache, int first) {
        int count = elements.size(1);
        List<Tensor> mapped = Linear.apply(List.of(key, value), List.of(elements, elements));
        Tensor keys = mapped.get(0);
        if (rotary != null) {
            keys = rotary.apply(keys, RotaryEncoding.positions(elements.tape(), elements.size(0), first, count), heads);
        }
        cache.write(first, count, keys.array(), mapped.get(1).array());
    }

    /**
     * New elements [batch, 1, width] attend to the {@code counts[b]} latest of the cache, themselves included.
     *
     * @param added to the result, or null
     */
    Tensor attendToCache(Tensor elements, KeyValueCache cache, DecodingStep step, @Nullable Tensor added) {
        Tensor positions = elements.tape().constant(step.positions(), elements.size(0), 1);
        List<Tensor> mapped = Linear.apply(List.of(query, key, value), List.of(elements, elements, elements));
        List<Tensor> turned = rotate(mapped.get(0), positions, mapped.get(1), positions);
        cache.write(step, turned.get(1).array(), mapped.get(2).array());
        Tape tape = elements.tape();
        int batch = elements.size(0);
        Tensor averages = tape.result(elements.shape());
        tape.backend()
                .attention()
                .decode(
                        new DecodeCall<>(
                                new DecodeShape(batch, heads, cache.capacity(), headDim, headDim),
                                compared(AttentionSpec.DEFAULT),
                                turned.get(0).array(),
                                cache.keys(),
                                cache.values(),
                                step.counts(),
                                step.positions()),
                        averages.array());
        return output.apply(averages, added);
    }

    /** Cosines of random rows are as spread as dot products of unit variance once they are multiplied by sqrt(headDim). */
    private AttentionSpec compared(AttentionSpec spec) {
        AttentionSpec compared = spec.withSimilarity(similarity);
        return similarity == Similarity.COSINE ? compared.withScale(Math.sqrt(headDim)) : compared;
    }

    private List<Tensor> rotate(Tensor queries, Tensor queryPositions, Tensor keys, Tensor keyPositions) {
        return rotary == null
                ? List.of(queries, keys)
                : rotary.apply(queries, queryPositions, keys, keyPositions, heads);
    }

    /** [batch, rows, width] as [batch, rows, heads, headDim]. */
    private Tensor inHeads(Tensor x) {
        return x.reshape(x.size(0), x.size(1), heads, headDim);
    }
}
