package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/**
 * Attention from primitives, with the score matrix in memory. Masked scores are replaced, not multiplied away, and rows
 * that take no part are cleared first, so that what lies in padding (NaN, say) reaches no result.
 */
final class AttentionCompositions {
    private AttentionCompositions() {}

    /** One attention with its axes in the order [batch, heads, rows, dim]. */
    private static final class Problem {
        final MathOps b;
        final Formula f;
        final AttentionShape shape;
        final float scale;
        final int matrices;
        final DeviceArray query;
        final DeviceArray key;
        final DeviceArray value;
        /** [batch, heads, queries, keys], 1 where a query sees a key. */
        final DeviceArray visible;
        /** [batch, heads, queries], 1 where a query sees anything. */
        final DeviceArray alive;

        /** @param visiblePerBatch [batch, queries, keys], the same for all heads */
        Problem(
                MathOps b,
                Formula f,
                AttentionShape shape,
                float scale,
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
            visible = f.gather(
                    new int[] {shape.batch(), shape.heads(), scores}, visiblePerBatch, new int[] {scores, 0, 1});
            alive = f.zip(
                    BinaryOp.MAX, f.reduceRows(ReduceOp.MAX, matrices * shape.queries(), shape.keys(), visible), 0);
            DeviceArray seen = f.empty((long) matrices * shape.keys());
            b.reduce(ReduceOp.MAX, matrices, shape.queries(), shape.keys(), visible, seen);
            seen = f.zip(BinaryOp.MAX, seen, 0);
            this.query = cleared(alive, shape.queries(), shape.headDim(), query);
            this.key = cleared(seen, shape.keys(), shape.headDim(), key);
            this.value = cleared(seen, shape.keys(), shape.valueDim(), value);
        }

        /** x in [batch, heads, rows, dim] with zeros in the rows that {@code kept} [batch, heads, rows] excludes. */
        DeviceArray cleared(DeviceArray kept, int rows, int dim, DeviceArray x) {
            int[] dense = {shape.batch(), shape.heads(), rows, dim};
            DeviceArray keptElements = f.gather(new int[] {matrices * rows, dim}, kept, new int[] {1, 0});
            return f.select(keptElements, f.gather(dense, x, strides(rows, dim)), 0);
        }

        int[] strides(int rows, int dim) {
            int heads = shape.heads();
            return shape.layout() == AttentionShape.Layout.BHND
                    ? new int[] {heads * rows * dim, rows * dim, dim, 1}
                    : new int[] {rows * heads * dim, dim, heads * dim, 1};
        }

        /** Stores x [batch, heads, rows, dim] in the caller's layout. */
        void store(DeviceArray x, int rows, int dim, DeviceArray y) {
            int[] dense = {shape.batch(), shape.heads(), rows, dim};
            b.arrange(dense, x, Formula.rowMajor(dense), y, strides(rows, dim));
        }

        DeviceArray product(boolean transposeA, boolean transposeB, int m, int n, int k, DeviceArray x, DeviceArray y) {
            return product(transposeA, transposeB, m, n, k, 1, x, y);
        }

        DeviceArray product(
                boolean transposeA,
                boolean transposeB,
                int m,
                int n,
                int k,
                float alpha,
                DeviceArray x,
                DeviceArray y) {
            DeviceArray z = f.empty((long) matrices * m * n);
            b.gemm(Gemm.batched(transposeA, transposeB, m, n, k, matrices).withScalars(alpha, 0), x, y, z);
            return z;
        }

        /** [batch, heads, queries, keys], -infinity where masked. */
        DeviceArray scores() {
            DeviceArray scores =
                    product(false, true, shape.queries(), shape.keys(), shape.headDim(), scale, query, key);
            return f.select(visible, scores, Double.NEGATIVE_INFINITY);
        }

        DeviceArray perQuery(BinaryOp op, DeviceArray scores, DeviceArray rows) {
            return f.zipRows(op, matrices * shape.queries(), shape.keys(), scores, rows);
        }

        DeviceArray foldKeys(ReduceOp op, DeviceArray scores) {
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
            DeviceArray dOut = cleared(alive, queries, shape.valueDim(), dOutput);
            DeviceArray out = cleared(alive, queries, shape.valueDim(), output);
            DeviceArray along = f.reduceRows(
                    ReduceOp.SUM, matrices * queries, shape.valueDim(), f.zip(BinaryOp.MULTIPLY, dOut, out));
            if (dLogSumExp != null) {
                along = f.zip(BinaryOp.SUBTRACT, along, f.select(alive, dLogSumExp, 0));
            }
            DeviceArray p = f.map(UnaryOp.EXP, perQuery(BinaryOp.SUBTRACT, scores(), logSumExp));
            DeviceArray dP = product(false, true, queries, keys, shape.valueDim(), dOut, value);
            DeviceArray dS = f.zip(BinaryOp.MULTIPLY, p, perQuery(BinaryOp.SUBTRACT, dP, along));
            store(
                    product(false, false, queries, shape.headDim(), keys, scale, dS, key),
                    queries,
                    shape.headDim(),
                    dQuery);
            store(product(true, false, keys, shape.headDim(), queries, scale, dS, query), keys, shape.headDim(), dKey);
            store(product(true, false, keys, shape.valueDim(), queries, p, dOut), keys, shape.valueDim(), dValue);
        }
    }

    static void forward(
            MathOps b,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            DeviceArray output,
            DeviceArray logSumExp) {
        AttentionShapes.forward(shape, in, output, logSumExp);
        try (Formula f = new Formula(b)) {
            problem(b, f, shape, spec, in).forward(output, logSumExp);
        }
    }

    static void backward(
            MathOps b,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            DeviceArray dQuery,
            DeviceArray dKey,
            DeviceArray dValue) {
        AttentionShapes.backward(shape, in, output, logSumExp, dOutput, dLogSumExp, dQuery, dKey, dValue);
        try (Formula f = new Formula(b)) {
            problem(b, f, shape, spec, in).backward(output, logSumExp, dOutput, dLogSumExp, dQuery, dKey, dValue);
        }
    }

    static void decode(
            MathOps b,
            DecodeShape shape,
            float scale,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        AttentionShapes.decode(shape, query, keyCache, valueCache, counts, newest, output);
        int newestSlot = Math.floorMod(newest, shape.capacity());
        AttentionShape asAttention = new AttentionShape(
                shape.batch(),
                shape.heads(),
                1,
                shape.capacity(),
                shape.headDim(),
                shape.valueDim(),
                AttentionShape.Layout.BNHD);
        try (Formula f = new Formula(b)) {
            DeviceArray age = f.emptyIntegers(shape.capacity());
            b.iota(newestSlot, -1, age.slice(0, newestSlot + 1));
            b.iota(shape.capacity() - 1, -1, age.slice(newestSlot + 1, shape.capacity() - newestSlot - 1));
            DeviceArray visible = f.zip(
                    BinaryOp.LESS,
                    new int[] {shape.batch(), shape.capacity()},
                    age,
                    new int[] {0, 1},
                    counts,
                    new int[] {1, 0});
            new Problem(b, f, asAttention, scale, query, keyCache, valueCache, visible)
                    .forward(output, f.empty(asAttention.logSumExpSize()));
        }
    }

    private static Problem problem(MathOps b, Formula f, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        return new Problem(
                b,
                f,
                shape,
                spec.scale(shape.headDim()),
                in.query(),
                in.key(),
                in.value(),
                visible(f, shape, spec, in));
    }

    /** [batch, queries, keys]: 1 where the query sees the key. */
    private static DeviceArray visible(Formula f, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        int batch = shape.batch();
        int queries = shape.queries();
        int keys = shape.keys();
        int[] scores = {batch, queries, keys};
        int[] perKey = {0, 0, 1};
        int[] perQuery = {queries, 1, 0};
        DeviceArray lengths = in.keyLengths() == null
                ? f.constant(keys, batch)
                : f.zip(BinaryOp.MAX, f.zip(BinaryOp.MIN, in.keyLengths(), keys), 0);
        DeviceArray key = f.range(keys);
        DeviceArray visible = f.zip(BinaryOp.LESS, scores, key, perKey, lengths, new int[] {1, 0, 0});

        DeviceArray first = spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT
                ? f.zip(BinaryOp.SUBTRACT, lengths, queries)
                : f.constant(0, batch);
        DeviceArray position = f.zip(
                BinaryOp.ADD, new int[] {batch, queries}, first, new int[] {1, 0}, f.range(queries), new int[] {0, 1});
        if (spec.windowLeft() != AttentionSpec.UNLIMITED) {
            DeviceArray oldest = f.zip(BinaryOp.SUBTRACT, position, spec.windowLeft());
            DeviceArray inside = f.zip(BinaryOp.LESS_EQUAL, scores, oldest, perQuery, key, perKey);
            visible = f.zip(BinaryOp.MULTIPLY, visible, inside);
        }
        if (spec.windowRight() != AttentionSpec.UNLIMITED) {
            DeviceArray newest = f.zip(BinaryOp.ADD, position, spec.windowRight());
            DeviceArray inside = f.zip(BinaryOp.LESS_EQUAL, scores, key, perKey, newest, perQuery);
            visible = f.zip(BinaryOp.MULTIPLY, visible, inside);
        }
        if (in.querySegments() != null && in.keySegments() != null) {
            DeviceArray same = f.zip(
                    BinaryOp.EQUAL, scores, in.querySegments(), perQuery, in.keySegments(), new int[] {keys, 0, 1});
            visible = f.zip(BinaryOp.MULTIPLY, visible, same);
        }
        return visible;
    }
}
