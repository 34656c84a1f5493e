package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/**
 * One attention from primitives, with the score matrix in memory and its axes in the order [batch, heads, rows, dim]. Masked
 * scores are replaced, not multiplied away, and rows that take no part are cleared first, so that what lies in padding
 * (NaN, say) reaches no result.
 */
final class ComposedAttention {
    private final MathOps b;
    private final Formula f;
    private final AttentionShape shape;
    private final double scale;
    private final int matrices;
    private final DeviceArray query;
    private final DeviceArray key;
    private final DeviceArray value;
    /** [batch, heads, queries, keys], 1 where a query sees a key. */
    private final DeviceArray visible;
    /** [batch, heads, queries], 1 where a query sees anything. */
    private final DeviceArray alive;
    /** [batch, heads, keys], 1 where any query sees the key. */
    private final DeviceArray seen;

    /** @param visiblePerBatch [batch, queries, keys], the same for all heads */
    ComposedAttention(
            MathOps b,
            Formula f,
            AttentionShape shape,
            double scale,
            DeviceArray query,
            DeviceArray key,
            DeviceArray value,
            DeviceArray visiblePerBatch) {
        this.b = b;
        this.f = f;
        this.shape = shape;
        this.scale = scale;
        matrices = shape.batch() * shape.heads();
        int scores = shape.queries() * shape.keys();
        visible = f.gather(new int[] {shape.batch(), shape.heads(), scores}, visiblePerBatch, new int[] {scores, 0, 1});
        alive = f.zip(BinaryOp.MAX, f.reduceRows(ReduceOp.MAX, matrices * shape.queries(), shape.keys(), visible), 0);
        DeviceArray mostSeen = f.empty((long) matrices * shape.keys());
        b.reduce(ReduceOp.MAX, matrices, shape.queries(), shape.keys(), visible, mostSeen);
        seen = f.zip(BinaryOp.MAX, mostSeen, 0);
        this.query = cleared(alive, shape.queries(), shape.headDim(), query);
        this.key = cleared(seen, shape.keys(), shape.headDim(), key);
        this.value = cleared(seen, shape.keys(), shape.valueDim(), value);
    }

    /** x in [batch, heads, rows, dim] with zeros in the rows that {@code kept} [batch, heads, rows] excludes. */
    private DeviceArray cleared(DeviceArray kept, int rows, int dim, DeviceArray x) {
        int[] dense = {shape.batch(), shape.heads(), rows, dim};
        DeviceArray keptElements = f.gather(new int[] {matrices * rows, dim}, kept, new int[] {1, 0});
        return f.select(keptElements, f.gather(dense, f.widened(x), strides(rows, dim)), 0);
    }

    private int[] strides(int rows, int dim) {
        int heads = shape.heads();
        return shape.layout() == AttentionShape.Layout.BHND
                ? new int[] {heads * rows * dim, rows * dim, dim, 1}
                : new int[] {rows * heads * dim, dim, heads * dim, 1};
    }

    /** Stores x [batch, heads, rows, dim] in the caller's layout. */
    private void store(DeviceArray x, int rows, int dim, DeviceArray y) {
        int[] dense = {shape.batch(), shape.heads(), rows, dim};
        if (y.dtype() == b.floatType()) {
            b.arrange(dense, x, Formula.rowMajor(dense), y, strides(rows, dim));
        } else {
            DeviceArray arranged = f.empty(y.length());
            b.arrange(dense, x, Formula.rowMajor(dense), arranged, strides(rows, dim));
            b.cast(arranged, y);
        }
    }

    private DeviceArray product(
            boolean transposeA, boolean transposeB, int m, int n, int k, DeviceArray x, DeviceArray y) {
        DeviceArray z = f.empty((long) matrices * m * n);
        b.gemm(Gemm.batched(transposeA, transposeB, m, n, k, matrices), x, y, z);
        return z;
    }

    private DeviceArray product(
            boolean transposeA, boolean transposeB, int m, int n, int k, double factor, DeviceArray x, DeviceArray y) {
        return f.zip(BinaryOp.MULTIPLY, product(transposeA, transposeB, m, n, k, x, y), factor);
    }

    /** [batch, heads, queries, keys], -infinity where masked. */
    private DeviceArray scores() {
        DeviceArray scores = product(false, true, shape.queries(), shape.keys(), shape.headDim(), scale, query, key);
        return f.select(visible, scores, Double.NEGATIVE_INFINITY);
    }

    private DeviceArray perQuery(BinaryOp op, DeviceArray scores, DeviceArray rows) {
        return f.zipRows(op, matrices * shape.queries(), shape.keys(), scores, rows);
    }

    private DeviceArray foldKeys(ReduceOp op, DeviceArray scores) {
        return f.reduceRows(op, matrices * shape.queries(), shape.keys(), scores);
    }

    void forward(DeviceArray output, DeviceArray logSumExp) {
        DeviceArray scores = scores();
        DeviceArray max = f.select(alive, foldKeys(ReduceOp.MAX, scores), 0);
        DeviceArray exp = f.map(UnaryOp.EXP, perQuery(BinaryOp.SUBTRACT, scores, max));
        DeviceArray sum = f.select(alive, foldKeys(ReduceOp.SUM, exp), 1);
        DeviceArray probabilities = perQuery(BinaryOp.DIVIDE, exp, sum);
        store(
                product(false, false, shape.queries(), shape.valueDim(), shape.keys(), probabilities, value),
                shape.queries(),
                shape.valueDim(),
                output);
        DeviceArray logSum = f.zip(BinaryOp.ADD, max, f.map(UnaryOp.LOG, sum));
        b.copy(f.select(alive, logSum, Double.POSITIVE_INFINITY), logSumExp);
    }

    /** P, [batch, heads, queries, keys]; 0 where masked, and in rows whose log-sum-exp is infinite. */
    private DeviceArray probabilities(DeviceArray logSumExp) {
        return f.map(UnaryOp.EXP, perQuery(BinaryOp.SUBTRACT, scores(), logSumExp));
    }

    /** {@code sum_d x[row, d] y[row, d]} per query, of arrays [batch, heads, queries, valueDim]. */
    private DeviceArray rowDots(DeviceArray x, DeviceArray y) {
        return f.reduceRows(ReduceOp.SUM, matrices * shape.queries(), shape.valueDim(), f.zip(BinaryOp.MULTIPLY, x, y));
    }

    /** {@code rows - gradient}, which is 0 where null. */
    private DeviceArray less(DeviceArray rows, @Nullable DeviceArray gradient) {
        return gradient == null ? rows : f.zip(BinaryOp.SUBTRACT, rows, f.select(alive, gradient, 0));
    }

    private DeviceArray ofQueries(DeviceArray x) {
        return cleared(alive, shape.queries(), shape.valueDim(), x);
    }

    void backward(
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            DeviceArray dQuery,
            DeviceArray dKey,
            DeviceArray dValue) {
        int queries = shape.queries();
        int keys = shape.keys();
        DeviceArray dOut = ofQueries(dOutput);
        DeviceArray along = less(rowDots(dOut, ofQueries(output)), dLogSumExp);
        DeviceArray p = probabilities(logSumExp);
        DeviceArray dP = product(false, true, queries, keys, shape.valueDim(), dOut, value);
        DeviceArray dS = f.zip(BinaryOp.MULTIPLY, p, perQuery(BinaryOp.SUBTRACT, dP, along));
        store(product(false, false, queries, shape.headDim(), keys, scale, dS, key), queries, shape.headDim(), dQuery);
        store(product(true, false, keys, shape.headDim(), queries, scale, dS, query), keys, shape.headDim(), dKey);
        store(product(true, false, keys, shape.valueDim(), queries, p, dOut), keys, shape.valueDim(), dValue);
    }

    /** Tangents of the inputs, P, and the tangents of P, of the output and of the log-sum-exp. */
    private record Tangents(
            DeviceArray query,
            DeviceArray key,
            DeviceArray value,
            DeviceArray p,
            DeviceArray pTangent,
            DeviceArray output,
            DeviceArray logSumExp) {}

    private Tangents tangents(AttentionArguments tangents, DeviceArray logSumExp) {
        int queries = shape.queries();
        int keys = shape.keys();
        DeviceArray queryTangent = cleared(alive, queries, shape.headDim(), tangents.query());
        DeviceArray keyTangent = cleared(seen, keys, shape.headDim(), tangents.key());
        DeviceArray valueTangent = cleared(seen, keys, shape.valueDim(), tangents.value());
        DeviceArray t = f.zip(
                BinaryOp.ADD,
                product(false, true, queries, keys, shape.headDim(), scale, queryTangent, key),
                product(false, true, queries, keys, shape.headDim(), scale, query, keyTangent));
        DeviceArray p = probabilities(logSumExp);
        DeviceArray r = foldKeys(ReduceOp.SUM, f.zip(BinaryOp.MULTIPLY, p, t));
        DeviceArray pTangent = f.zip(BinaryOp.MULTIPLY, p, perQuery(BinaryOp.SUBTRACT, t, r));
        DeviceArray output = f.zip(
                BinaryOp.ADD,
                product(false, false, queries, shape.valueDim(), keys, pTangent, value),
                product(false, false, queries, shape.valueDim(), keys, p, valueTangent));
        return new Tangents(queryTangent, keyTangent, valueTangent, p, pTangent, output, r);
    }

    private void store(Tangents t, DeviceArray outputTangent, DeviceArray logSumExpTangent) {
        store(t.output, shape.queries(), shape.valueDim(), outputTangent);
        b.copy(t.logSumExp, logSumExpTangent);
    }

    void tangent(
            AttentionArguments tangents,
            DeviceArray logSumExp,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        store(tangents(tangents, logSumExp), outputTangent, logSumExpTangent);
    }

    void backwardTangent(
            AttentionArguments inputTangents,
            DeviceArray output,
            DeviceArray logSumExp,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            AttentionArguments gradientTangents) {
        int queries = shape.queries();
        int keys = shape.keys();
        int valueDim = shape.valueDim();
        Tangents t = tangents(inputTangents, logSumExp);
        DeviceArray out = ofQueries(output);
        DeviceArray dOut = ofQueries(gradients.dOutput());
        DeviceArray along = less(rowDots(dOut, out), gradients.dLogSumExp());
        DeviceArray e = rowDots(dOut, t.output);
        DeviceArray w = product(false, true, queries, keys, valueDim, dOut, t.value);
        DeviceArray dValue = product(true, false, keys, valueDim, queries, t.pTangent, dOut);
        if (gradients.dOutputTangent() != null) {
            DeviceArray dOutTangent = ofQueries(gradients.dOutputTangent());
            e = f.zip(BinaryOp.ADD, e, rowDots(dOutTangent, out));
            w = f.zip(BinaryOp.ADD, w, product(false, true, queries, keys, valueDim, dOutTangent, value));
            dValue = f.zip(BinaryOp.ADD, dValue, product(true, false, keys, valueDim, queries, t.p, dOutTangent));
        }
        e = less(e, gradients.dLogSumExpTangent());
        DeviceArray dP = perQuery(BinaryOp.SUBTRACT, product(false, true, queries, keys, valueDim, dOut, value), along);
        DeviceArray dS = f.zip(BinaryOp.MULTIPLY, t.p, dP);
        DeviceArray dSTangent = f.zip(
                BinaryOp.ADD,
                f.zip(BinaryOp.MULTIPLY, t.pTangent, dP),
                f.zip(BinaryOp.MULTIPLY, t.p, perQuery(BinaryOp.SUBTRACT, w, e)));
        int headDim = shape.headDim();
        DeviceArray dQuery = f.zip(
                BinaryOp.ADD,
                product(false, false, queries, headDim, keys, scale, dSTangent, key),
                product(false, false, queries, headDim, keys, scale, dS, t.key));
        DeviceArray dKey = f.zip(
                BinaryOp.ADD,
                product(true, false, keys, headDim, queries, scale, dSTangent, query),
                product(true, false, keys, headDim, queries, scale, dS, t.query));
        store(t, outputTangent, logSumExpTangent);
        store(dQuery, queries, headDim, gradientTangents.query());
        store(dKey, keys, headDim, gradientTangents.key());
        store(dValue, keys, valueDim, gradientTangents.value());
    }
}
