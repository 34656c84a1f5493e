package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/**
 * An attention by scaled dot products that gives the same as one by another similarity.
 *
 * @param shape of the mapped queries and keys
 * @param in float32, with mapped queries and keys
 * @param queries how queries are mapped, or null if they are what they were
 * @param keys likewise
 */
record DotProducts(
        AttentionShape shape,
        AttentionSpec spec,
        AttentionArrays in,
        @Nullable SimilarityRows queries,
        @Nullable SimilarityRows keys) {

    /** Up to here a distance that is the sum of terms of this size leaves a probability right to about 2^-11. */
    private static final double LARGEST = 0x1p10;

    /** Length of a query that is mapped. */
    static int columns(AttentionSpec spec, int headDim) {
        return spec.similarity() == Similarity.EUCLIDEAN ? headDim + EuclideanRows.MORE : headDim;
    }

    /**
     * @param in float32
     * @return null if float32 has not the digits for it
     */
    static @Nullable DotProducts of(
            AttentionShape shape, AttentionSpec spec, AttentionArrays in, FloatArrays floats, Workers workers) {
        return switch (spec.similarity()) {
            case DOT -> new DotProducts(shape, spec, in, null, null);
            case COSINE -> cosine(shape, spec, in, floats, workers);
            case EUCLIDEAN -> euclidean(shape, spec, in, floats, workers);
        };
    }

    private static DotProducts cosine(
            AttentionShape shape, AttentionSpec spec, AttentionArrays in, FloatArrays floats, Workers workers) {
        CosineRows queries = new CosineRows(in.query(), shape.headDim(), floats, workers);
        CosineRows keys = new CosineRows(in.key(), shape.headDim(), floats, workers);
        AttentionArrays mapped = in.with(queries.map(), keys.map(), in.value());
        return new DotProducts(shape, spec.withSimilarity(Similarity.DOT), mapped, queries, keys);
    }

    private static @Nullable DotProducts euclidean(
            AttentionShape s, AttentionSpec spec, AttentionArrays in, FloatArrays floats, Workers workers) {
        double scale = spec.scale(s.headDim());
        if (in.sink() != null && scale < 0) {
            // Log-sum-exps are large where far keys are the likely ones, and no score can be lowered by them.
            return null;
        }
        EuclideanRows queries = EuclideanRows.queries(in.query(), s, floats, workers);
        EuclideanRows keys = EuclideanRows.keys(in.key(), s, floats, workers);
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
        return new DotProducts(mapped, dot, in.with(query, key, in.value()), queries, keys);
    }

    private static boolean isModest(double score) {
        return Math.abs(score) <= LARGEST;
    }
}
