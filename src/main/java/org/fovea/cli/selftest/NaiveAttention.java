package org.fovea.cli.selftest;

import java.util.Arrays;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;
import org.jspecify.annotations.Nullable;

/**
 * Attention and its gradient by their definitions, one score after the other in float64.
 *
 * @param querySegments [batch, queries] or null, as are keySegments [batch, keys] and lengths [batch]
 */
record NaiveAttention(
        AttentionShape shape,
        AttentionSpec spec,
        int @Nullable [] querySegments,
        int @Nullable [] keySegments,
        int @Nullable [] lengths) {

    /** Query, key and value; or their gradients, or tangents. */
    record Arrays3(double[] query, double[] key, double[] value) {

        /** {@code this + step other} */
        Arrays3 plus(double step, Arrays3 other) {
            return new Arrays3(
                    NaiveAttention.plus(query, step, other.query),
                    NaiveAttention.plus(key, step, other.key),
                    NaiveAttention.plus(value, step, other.value));
        }
    }

    /** What the forward gives. */
    record Output(double[] output, double[] logSumExp) {}

    static double[] plus(double[] a, double step, double[] b) {
        double[] sum = new double[a.length];
        Arrays.setAll(sum, i -> a[i] + step * b[i]);
        return sum;
    }

    private int valid(int b) {
        return lengths == null ? shape.keys() : Math.max(0, Math.min(shape.keys(), lengths[b]));
    }

    private boolean sees(int b, int i, int j) {
        int keys = valid(b);
        boolean fromTheEnd = spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT;
        int distance = j - (fromTheEnd ? keys - shape.queries() + i : i);
        boolean isHidden = j >= keys
                || spec.causal() && distance > 0
                || spec.windowLeft() >= 0 && -distance > spec.windowLeft()
                || spec.windowRight() >= 0 && distance > spec.windowRight();
        return !isHidden
                && (querySegments == null
                        || keySegments == null
                        || querySegments[b * shape.queries() + i] == keySegments[b * shape.keys() + j]);
    }

    /** Where row {@code i} of a head begins. */
    private int at(int b, int h, int i, int rows, int dim) {
        return shape.layout() == AttentionShape.Layout.BHND
                ? ((b * shape.heads() + h) * rows + i) * dim
                : ((b * rows + i) * shape.heads() + h) * dim;
    }

    private static double dot(double[] a, int fromA, double[] b, int fromB, int length) {
        double sum = 0;
        for (int d = 0; d < length; d++) {
            sum += a[fromA + d] * b[fromB + d];
        }
        return sum;
    }

    /** Probabilities of one query, and behind them the log of their sum: +infinity if it sees nothing. */
    private double[] probabilities(Arrays3 in, int b, int h, int i) {
        int dim = shape.headDim();
        double[] p = new double[shape.keys() + 1];
        double sum = 0;
        double shift = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < shape.keys(); j++) {
            p[j] = sees(b, i, j)
                    ? spec.scale(dim)
                            * dot(
                                    in.query,
                                    at(b, h, i, shape.queries(), dim),
                                    in.key,
                                    at(b, h, j, shape.keys(), dim),
                                    dim)
                    : Double.NEGATIVE_INFINITY;
            shift = Math.max(shift, p[j]);
        }
        if (shift == Double.NEGATIVE_INFINITY) {
            double[] none = new double[p.length];
            none[shape.keys()] = Double.POSITIVE_INFINITY;
            return none;
        }
        for (int j = 0; j < shape.keys(); j++) {
            p[j] = Math.exp(p[j] - shift);
            sum += p[j];
        }
        for (int j = 0; j < shape.keys(); j++) {
            p[j] /= sum;
        }
        p[shape.keys()] = shift + Math.log(sum);
        return p;
    }

    Output forward(Arrays3 in) {
        int dim = shape.valueDim();
        double[] output = new double[(int) shape.outputSize()];
        double[] logSumExp = new double[(int) shape.logSumExpSize()];
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                for (int i = 0; i < shape.queries(); i++) {
                    double[] p = probabilities(in, b, h, i);
                    logSumExp[(b * shape.heads() + h) * shape.queries() + i] = p[shape.keys()];
                    int to = at(b, h, i, shape.queries(), dim);
                    for (int j = 0; j < shape.keys(); j++) {
                        int from = at(b, h, j, shape.keys(), dim);
                        for (int d = 0; d < dim; d++) {
                            output[to + d] += p[j] * in.value[from + d];
                        }
                    }
                }
            }
        }
        return new Output(output, logSumExp);
    }

    /** Gradients of {@code sum dOutput output + sum dLogSumExp logSumExp}. */
    Arrays3 backward(Arrays3 in, double[] dOutput, double[] dLogSumExp) {
        int dim = shape.headDim();
        int valueDim = shape.valueDim();
        Arrays3 gradients =
                new Arrays3(new double[in.query.length], new double[in.key.length], new double[in.value.length]);
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                for (int i = 0; i < shape.queries(); i++) {
                    double[] p = probabilities(in, b, h, i);
                    int out = at(b, h, i, shape.queries(), valueDim);
                    int query = at(b, h, i, shape.queries(), dim);
                    double[] dP = new double[shape.keys()];
                    double mean = 0;
                    for (int j = 0; j < shape.keys(); j++) {
                        dP[j] = dot(dOutput, out, in.value, at(b, h, j, shape.keys(), valueDim), valueDim);
                        mean += p[j] * dP[j];
                    }
                    double fromSum = dLogSumExp[(b * shape.heads() + h) * shape.queries() + i];
                    for (int j = 0; j < shape.keys(); j++) {
                        int key = at(b, h, j, shape.keys(), dim);
                        int value = at(b, h, j, shape.keys(), valueDim);
                        double dScore = spec.scale(dim) * p[j] * (dP[j] - mean + fromSum);
                        for (int d = 0; d < dim; d++) {
                            gradients.query[query + d] += dScore * in.key[key + d];
                            gradients.key[key + d] += dScore * in.query[query + d];
                        }
                        for (int d = 0; d < valueDim; d++) {
                            gradients.value[value + d] += p[j] * dOutput[out + d];
                        }
                    }
                }
            }
        }
        return gradients;
    }
}
