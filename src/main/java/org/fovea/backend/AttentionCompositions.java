package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/** The operations of {@link AttentionOps} by {@link ComposedAttention}: their operands checked, their masks made. */
final class AttentionCompositions {
    private AttentionCompositions() {}

    static void forward(
            AttentionOps b, AttentionShape shape, AttentionSpec spec, AttentionInputs in, AttentionOutputs out) {
        AttentionShapes.forward(shape, in, out, b.attentionStateSize(shape, spec, in));
        try (Formula f = new Formula(b)) {
            attention(b, f, shape, spec, in).forward(out.output(), out.logSumExp());
        }
    }

    static void backward(
            AttentionOps b,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionOutputs out,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        AttentionShapes.backward(shape, in, out, b.attentionStateSize(shape, spec, in), dOutput, dLogSumExp, gradients);
        try (Formula f = new Formula(b)) {
            attention(b, f, shape, spec, in)
                    .backward(
                            out.output(),
                            out.logSumExp(),
                            dOutput,
                            dLogSumExp,
                            gradients.query(),
                            gradients.key(),
                            gradients.value());
        }
    }

    static void tangent(
            AttentionOps b,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        AttentionShapes.tangent(
                shape, in, tangents, out, b.attentionStateSize(shape, spec, in), outputTangent, logSumExpTangent);
        try (Formula f = new Formula(b)) {
            attention(b, f, shape, spec, in).tangent(tangents, out.logSumExp(), outputTangent, logSumExpTangent);
        }
    }

    static void backwardTangent(
            AttentionOps b,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            AttentionOutputs out,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            AttentionArguments gradientTangents) {
        AttentionShapes.backwardTangent(
                shape,
                in,
                tangents,
                out,
                b.attentionStateSize(shape, spec, in),
                gradients,
                outputTangent,
                logSumExpTangent,
                gradientTangents);
        try (Formula f = new Formula(b)) {
            attention(b, f, shape, spec, in)
                    .backwardTangent(
                            tangents,
                            out.output(),
                            out.logSumExp(),
                            gradients,
                            outputTangent,
                            logSumExpTangent,
                            gradientTangents);
        }
    }

    /** With another similarity or a softcap, by the backend's forward with a mask. */
    static void decode(
            AttentionOps b,
            DecodeShape shape,
            AttentionSpec spec,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        AttentionShapes.decode(shape, spec, query, keyCache, valueCache, counts, newest, output);
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
            DeviceArray logSumExp = f.empty(asAttention.logSumExpSize());
            double scale = spec.scale(shape.headDim());
            if (spec.similarity() == AttentionSpec.Similarity.DOT && spec.softcap() == 0) {
                new ComposedAttention(b, f, asAttention, scale, query, keyCache, valueCache, visible)
                        .forward(output, logSumExp);
                return;
            }
            DeviceArray mask = f.map(UnaryOp.LOG, visible);
            AttentionSpec scores = AttentionSpec.DEFAULT
                    .withSimilarity(spec.similarity())
                    .withScale(scale)
                    .withSoftcap(spec.softcap());
            AttentionInputs in = new AttentionInputs(
                    query,
                    keyCache,
                    valueCache,
                    null,
                    null,
                    new ScoreTerm(mask, shape.batch(), 1, 1, shape.capacity()),
                    null,
                    null,
                    null,
                    null,
                    null,
                    null);
            b.attentionForward(asAttention, scores, in, new AttentionOutputs(output, logSumExp));
        }
    }

    private static ComposedAttention attention(
            MathOps b, Formula f, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
        AttentionShapes.requirePlain("composition", shape, spec, in);
        return new ComposedAttention(
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
                : f.constant(spec.pastKeys(), batch);
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
