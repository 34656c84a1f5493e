// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.BitSet;
import java.util.List;
import java.util.function.Function;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/**
 * Which planes there are of everything that an attention over series is made of; what is not there costs nothing.
 * Names: z the scores, P = exp(z - LSE), D = dO . O - dLSE, G = dO V^T - D, dS = P G.
 *
 * @param gradients whether any gradient is wanted
 * @param query of the query as it is compared: for cosine, of the normalised one
 * @param queryInverse of 1 / |q|, and {@code queryNorm} of |q|^2; likewise for the key
 * @param score of z, after the softcap
 * @param slope of the derivative of the softcap; empty without one
 * @param sum of the softmax's denominator
 * @param dScore of dS, and {@code dSimilarity} of its product with slope
 * @param dQuery those that have to be computed; likewise for what follows
 */
record SeriesPattern(
        SeriesRing ring,
        int headDim,
        int valueDim,
        boolean euclidean,
        boolean gradients,
        BitSet query,
        BitSet queryNorm,
        BitSet queryInverse,
        BitSet key,
        BitSet keyNorm,
        BitSet keyInverse,
        BitSet value,
        BitSet bias,
        BitSet sink,
        BitSet score,
        BitSet slope,
        BitSet sum,
        BitSet probability,
        BitSet output,
        BitSet logSumExp,
        BitSet dOutput,
        BitSet delta,
        BitSet dProbability,
        BitSet dScore,
        BitSet dSimilarity,
        BitSet dQuery,
        BitSet dKey,
        BitSet dValue,
        BitSet dBias,
        BitSet dSink) {

    static SeriesPattern of(
            SeriesRing ring,
            AttentionShape shape,
            AttentionSpec spec,
            List<AttentionPlane<CpuArray>> arguments,
            List<AttentionPlane<CpuArray>> results) {
        SeriesPlanes series = new SeriesPlanes(ring);
        BitSet none = new BitSet();
        boolean euclidean = spec.similarity() == Similarity.EUCLIDEAN;
        boolean cosine = spec.similarity() == Similarity.COSINE;
        BitSet query = present(arguments, AttentionPlane::query);
        BitSet key = present(arguments, AttentionPlane::key);
        BitSet queryNorm = cosine ? series.product(query, query) : none;
        BitSet keyNorm = cosine ? series.product(key, key) : none;
        BitSet queryInverse = cosine ? series.function(queryNorm) : none;
        BitSet keyInverse = cosine ? series.function(keyNorm) : none;
        if (cosine) {
            query = series.product(query, queryInverse);
            key = series.product(key, keyInverse);
        }
        BitSet value = present(arguments, AttentionPlane::value);
        BitSet bias = present(arguments, AttentionPlane::bias);
        BitSet sink = present(arguments, AttentionPlane::sink);
        boolean capped = spec.softcap() != 0;

        BitSet difference = SeriesPlanes.sum(query, key);
        BitSet similarity = euclidean ? series.product(difference, difference) : series.product(query, key);
        BitSet score = SeriesPlanes.sum(similarity, bias);
        if (capped) {
            score = series.function(score);
        }
        BitSet slope = capped ? series.product(score, score) : none;
        BitSet exponential = series.function(score);
        BitSet sum = sink.isEmpty() ? exponential : SeriesPlanes.sum(exponential, series.function(sink));
        BitSet logSumExp = series.function(sum);
        BitSet output = series.product(series.product(exponential, value), logSumExp);
        BitSet probability = series.function(SeriesPlanes.sum(score, logSumExp));

        boolean gradients = results.stream().anyMatch(AttentionPlane::hasInputs);
        BitSet dOutput = gradients ? present(arguments, AttentionPlane::output) : none;
        BitSet delta = gradients
                ? SeriesPlanes.sum(series.product(dOutput, output), present(arguments, AttentionPlane::logSumExp))
                : none;
        BitSet dProbability = SeriesPlanes.sum(series.product(dOutput, value), delta);
        BitSet dScore = series.product(probability, dProbability);
        BitSet dSimilarity = capped ? series.product(dScore, slope) : dScore;
        return new SeriesPattern(
                ring,
                shape.headDim(),
                shape.valueDim(),
                euclidean,
                gradients,
                query,
                queryNorm,
                queryInverse,
                key,
                keyNorm,
                keyInverse,
                value,
                bias,
                sink,
                score,
                slope,
                sum,
                probability,
                output,
                logSumExp,
                dOutput,
                delta,
                dProbability,
                dScore,
                dSimilarity,
                rows(series, present(results, AttentionPlane::query), cosine),
                rows(series, present(results, AttentionPlane::key), cosine),
                present(results, AttentionPlane::value),
                present(results, AttentionPlane::bias),
                present(results, AttentionPlane::sink));
    }

    /** Planes of a gradient to be computed: all, if each is made of all before it by the derivative of a norm. */
    private static BitSet rows(SeriesPlanes series, BitSet wanted, boolean cosine) {
        return cosine && !wanted.isEmpty() ? series.all() : wanted;
    }

    /** The planes that have a part. */
    private static BitSet present(
            List<AttentionPlane<CpuArray>> planes, Function<AttentionPlane<CpuArray>, @Nullable CpuArray> part) {
        BitSet present = new BitSet(planes.size());
        for (int p = 0; p < planes.size(); p++) {
            present.set(p, part.apply(planes.get(p)) != null);
        }
        return present;
    }
}
