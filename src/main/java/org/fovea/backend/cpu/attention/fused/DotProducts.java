// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/**
 * An attention by scaled dot products that gives the same as one by another similarity.
 *
 * @param call float32, with mapped queries and keys
 * @param queries how queries are mapped, or null if they are what they were
 * @param keys likewise
 */
record DotProducts(
        AttentionCall<CpuArray> call,
        @Nullable SimilarityRows queries,
        @Nullable SimilarityRows keys) {

    /** Up to here a distance that is the sum of terms of this size leaves a probability right to about 2^-11. */
    private static final double LARGEST = 0x1p10;

    /** Length of a query that is mapped. */
    static int columns(AttentionSpec spec, int headDim) {
        return spec.similarity() == Similarity.EUCLIDEAN ? headDim + EuclideanRows.MORE : headDim;
    }

    /**
     * Maps queries and keys so that their dot products are the similarities.
     *
     * @param call float32
     * @return null if float32 has not the digits for it
     */
    static @Nullable DotProducts of(AttentionCall<CpuArray> call, FloatArrays floats, Workers workers) {
        return switch (call.spec().similarity()) {
            case DOT -> new DotProducts(call, null, null);
            case COSINE -> cosine(call, floats, workers);
            case EUCLIDEAN -> euclidean(call, floats, workers);
        };
    }

    private static DotProducts cosine(AttentionCall<CpuArray> call, FloatArrays floats, Workers workers) {
        CosineRows queries = new CosineRows(call.query(), call.shape().headDim(), floats, workers);
        CosineRows keys = new CosineRows(call.key(), call.shape().headDim(), floats, workers);
        AttentionSpec dot = call.spec().withSimilarity(Similarity.DOT);
        return new DotProducts(call.withRows(call.shape(), dot, queries.map(), keys.map()), queries, keys);
    }

    private static @Nullable DotProducts euclidean(AttentionCall<CpuArray> call, FloatArrays floats, Workers workers) {
        AttentionShape s = call.shape();
        AttentionSpec spec = call.spec();
        double scale = spec.scale(s.headDim());
        if (call.sink() != null && scale < 0) {
            // Log-sum-exps are large where far keys are the likely ones, and no score can be lowered by them.
            return null;
        }
        EuclideanRows queries = EuclideanRows.queries(call.query(), s, floats, workers);
        EuclideanRows keys = EuclideanRows.keys(call.key(), s, floats, workers);
        CpuArray query = queries.map();
        CpuArray key = keys.map();
        if (!isModest(scale * Math.max(queries.largestSquare(query), keys.largestSquare(key)))) {
            CpuArray means = keys.means();
            queries.setOrigins(means);
            keys.setOrigins(means);
            queries.map(query);
            keys.map(key);
            if (!isModest(scale * Math.max(queries.largestSquare(query), keys.largestSquare(key)))) {
                return null;
            }
        }
        AttentionShape mapped = new AttentionShape(
                s.batch(),
                s.heads(),
                s.keyHeads(),
                s.queries(),
                s.keys(),
                columns(spec, s.headDim()),
                s.valueDim(),
                s.layout());
        AttentionSpec dot = spec.withSimilarity(Similarity.DOT).withScale(2 * scale);
        return new DotProducts(call.withRows(mapped, dot, query, key), queries, keys);
    }

    private static boolean isModest(double score) {
        return Math.abs(score) <= LARGEST;
    }
}
