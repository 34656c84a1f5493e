// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * Attention and its gradient by the textbook, one query at a time, over the numbers of a ring. What no visible pair reaches is
 * never computed with.
 */
final class NaiveSeriesAttention {

    /** Which keys a query sees. */
    interface Sees {
        boolean test(int b, int h, int i, int j);
    }

    private final ReferenceMemory memory;
    final AttentionShape shape;
    final AttentionSpec spec;
    final AttentionCall<DeviceArray> in;
    final Series.Arithmetic arithmetic;
    private final List<AttentionPlane<DeviceArray>> arguments;
    final Visibility visibility;
    private final Sees sees;

    /** What the similarity is the product of: queries and keys, or for the cosine these at length 1. */
    final Series[] left;

    final Series[] right;
    final Series[] query;
    final Series[] key;
    final Series[] value;
    final Series @Nullable [] bias;
    final Series @Nullable [] sink;

    final Series[] output;
    final Series[] logSumExp;

    /** @param arguments planes 1 and up of the inputs */
    NaiveSeriesAttention(
            ReferenceMemory memory,
            AttentionCall<DeviceArray> call,
            Series.Arithmetic arithmetic,
            List<AttentionPlane<DeviceArray>> arguments,
            @Nullable Sees sees) {
        this.memory = memory;
        shape = call.shape();
        spec = call.spec();
        in = call;
        this.arithmetic = arithmetic;
        this.arguments = arguments;
        visibility = new Visibility(memory, call);
        this.sees = sees == null ? visibility::sees : sees;
        query = load(call.query(), AttentionPlane::query);
        key = load(call.key(), AttentionPlane::key);
        boolean cosine = spec.similarity() == AttentionSpec.Similarity.COSINE;
        left = cosine ? unit(query) : query;
        right = cosine ? unit(key) : key;
        value = load(call.value(), AttentionPlane::value);
        bias = call.bias() == null ? null : load(call.bias().array(), AttentionPlane::bias);
        sink = call.sink() == null ? null : load(call.sink(), AttentionPlane::sink);
        output = zeros(shape.outputSize());
        logSumExp = zeros(shape.logSumExpSize());
    }

    Series[] zeros(long length) {
        return IntStream.range(0, (int) length)
                .mapToObj(i -> new Series(arithmetic))
                .toArray(Series[]::new);
    }

    private Series[] load(DeviceArray plane0, Function<AttentionPlane<DeviceArray>, @Nullable DeviceArray> part) {
        Series[] x = zeros(plane0.length());
        load(x, 0, plane0);
        for (int p = 1; p < arithmetic.ring().planes(); p++) {
            load(x, p, part.apply(arguments.get(p)));
        }
        return x;
    }

    void load(Series[] x, int plane, @Nullable DeviceArray array) {
        if (array != null) {
            ReferenceArray from = memory.use(array);
            for (int i = 0; i < x.length; i++) {
                x[i].set(plane, from.get(i));
            }
        }
    }

    private int at(int b, int h, int heads, int row, int rows, int dim) {
        return shape.layout() == AttentionShape.Layout.BHND
                ? ((b * heads + h) * rows + row) * dim
                : ((b * rows + row) * heads + h) * dim;
    }

    int queryAt(int b, int h, int i) {
        return at(b, h, shape.heads(), i, shape.queries(), shape.headDim());
    }

    int outputAt(int b, int h, int i) {
        return at(b, h, shape.heads(), i, shape.queries(), shape.valueDim());
    }

    int keyAt(int b, int h, int j) {
        return at(b, h / shape.group(), shape.keyHeads(), j, shape.keys(), shape.headDim());
    }

    int valueAt(int b, int h, int j) {
        return at(b, h / shape.group(), shape.keyHeads(), j, shape.keys(), shape.valueDim());
    }

    int rowAt(int b, int h, int i) {
        return (b * shape.heads() + h) * shape.queries() + i;
    }

    Series dot(Series[] x, int xAt, Series[] y, int yAt, int length) {
        return dot(arithmetic, x, xAt, y, yAt, length);
    }

    private static Series dot(Series.Arithmetic in, Series[] x, int xAt, Series[] y, int yAt, int length) {
        Series sum = new Series(in);
        for (int d = 0; d < length; d++) {
            sum.addProduct(x[xAt + d], y[yAt + d]);
        }
        return sum;
    }

    /** Rows of length 1 in the direction of those of x, zeros where these are. */
    private Series[] unit(Series[] x) {
        Series[] y = zeros(x.length);
        int dim = shape.headDim();
        for (int row = 0; row < x.length; row += dim) {
            Series square = dot(x, row, x, row, dim);
            Series inverse = square.power(-0.5);
            for (int d = 0; square.plane(0) != 0 && d < dim; d++) {
                y[row + d] = x[row + d].times(inverse).stored();
            }
        }
        return y;
    }

    private Series scaled(int b, int h, int i, int j) {
        return similarity(arithmetic.making(), b, h, i, j)
                .times(spec.scale(shape.headDim()))
                .score(arithmetic);
    }

    private Series similarity(Series.Arithmetic in, int b, int h, int i, int j) {
        int q = queryAt(b, h, i);
        int k = keyAt(b, h, j);
        if (spec.similarity() != AttentionSpec.Similarity.EUCLIDEAN) {
            return dot(in, left, q, right, k, shape.headDim());
        }
        Series sum = new Series(in);
        for (int d = 0; d < shape.headDim(); d++) {
            Series difference = left[q + d].minus(right[k + d]);
            sum.addProduct(difference, difference);
        }
        Series similarity = sum.times(-1);
        if (arithmetic.rounded() == null) {
            return similarity;
        }
        // What kernels make of it, of which the terms are larger.
        int dim = shape.headDim();
        Series norms = dot(in, left, q, left, q, dim).plus(dot(in, right, k, right, k, dim));
        return similarity.withErrorsOf(dot(in, left, q, right, k, dim).times(2).minus(norms));
    }

    private Series capped(int b, int h, int i, int j) {
        Series z = scaled(b, h, i, j);
        if (bias != null && in.bias() != null) {
            z = z.plus(bias[visibility.at(in.bias(), b, h, i, j)]);
        }
        double cap = spec.softcap();
        return cap == 0 ? z : z.times(1 / cap).tanh().times(cap);
    }

    /** A score with what is added after the softcap. */
    private Series masked(Series score, int b, int h, int i, int j) {
        ScoreBias<DeviceArray> mask = in.mask().scores();
        DeviceArray slopes = in.mask().alibiSlopes();
        if (mask != null) {
            score = score.plus(memory.use(mask.array()).get(visibility.at(mask, b, h, i, j)));
        }
        if (slopes != null) {
            Series slope = Series.constant(arithmetic, memory.use(slopes).get(h));
            score = score.minus(slope.times(visibility.distance(b, i, j)));
        }
        return score;
    }

    /** A score or probability of the pairs of a query, by key. */
    IntFunction<Series> weights(int b, int h, int i, ScoreStage stage) {
        return switch (stage) {
            case SCORES -> j -> scaled(b, h, i, j);
            case SOFTCAP -> j -> capped(b, h, i, j);
            case MASKED ->
                j -> sees.test(b, h, i, j)
                        ? masked(capped(b, h, i, j), b, h, i, j)
                        : Series.constant(arithmetic, Double.NEGATIVE_INFINITY);
            case SOFTMAX -> {
                Row row = new Row(b, h, i);
                yield j -> {
                    int n = Arrays.binarySearch(row.keys, j);
                    return n < 0 ? new Series(arithmetic) : row.probability[n];
                };
            }
        };
    }

    /** Softmax of one query over the keys it sees. */
    final class Row {
        final int b;
        final int h;
        final int i;
        final int[] keys;
        final Series[] capped;
        final Series[] probability;
        Series ofSink = new Series(arithmetic);
        Series logSum = Series.constant(arithmetic, Double.POSITIVE_INFINITY);

        Row(int b, int h, int i) {
            this.b = b;
            this.h = h;
            this.i = i;
            int[] seen = new int[shape.keys()];
            int count = 0;
            for (int j = 0; j < seen.length; j++) {
                if (sees.test(b, h, i, j)) {
                    seen[count++] = j;
                }
            }
            keys = Arrays.copyOf(seen, count);
            capped = new Series[keys.length];
            probability = new Series[keys.length];
            if (keys.length > 0 || sink != null) {
                softmax();
            }
        }

        private void softmax() {
            double largest = sink == null ? Double.NEGATIVE_INFINITY : sink[h].plane(0);
            for (int n = 0; n < keys.length; n++) {
                capped[n] = capped(b, h, i, keys[n]);
                probability[n] = masked(capped[n], b, h, i, keys[n]);
                largest = Math.max(largest, probability[n].plane(0));
            }
            if (largest == Double.NEGATIVE_INFINITY) {
                // Keys that are seen, but have no score, are as good as hidden.
                Arrays.setAll(probability, n -> new Series(arithmetic));
                return;
            }
            Series sum = new Series(arithmetic);
            for (int n = 0; n < keys.length; n++) {
                probability[n] = probability[n].plus(-largest).exp();
                sum = sum.plus(probability[n]);
            }
            if (sink != null) {
                ofSink = sink[h].plus(-largest).exp();
                sum = sum.plus(ofSink);
            }
            Series reciprocal = sum.power(-1);
            for (int n = 0; n < keys.length; n++) {
                probability[n] = probability[n].times(reciprocal);
            }
            ofSink = ofSink.times(reciprocal);
            logSum = sum.log().plus(largest);
        }

        double dropout(int j) {
            return spec.dropoutFactor(b * shape.heads() + h, i, j);
        }
    }

    /** What is done with a query. */
    interface Query {
        void use(int b, int h, int i);
    }

    /** Calls {@code query} with the queries [from, to) of every head. */
    void forEachQuery(int from, int to, Query query) {
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                for (int i = from; i < to; i++) {
                    query.use(b, h, i);
                }
            }
        }
    }

    /** Computes output and log-sum-exp, and calls {@code use} with every row. */
    NaiveSeriesAttention forward(Consumer<Row> use) {
        forEachQuery(0, shape.queries(), (b, h, i) -> {
            Row row = new Row(b, h, i);
            forward(row);
            use.accept(row);
        });
        return this;
    }

    private void forward(Row row) {
        logSumExp[rowAt(row.b, row.h, row.i)] = row.logSum;
        int o = outputAt(row.b, row.h, row.i);
        for (int n = 0; n < row.keys.length; n++) {
            Series weight = row.probability[n].times(row.dropout(row.keys[n])).stored();
            for (int d = 0; d < shape.valueDim(); d++) {
                output[o + d].addProduct(weight, value[valueAt(row.b, row.h, row.keys[n]) + d]);
            }
        }
    }
}
