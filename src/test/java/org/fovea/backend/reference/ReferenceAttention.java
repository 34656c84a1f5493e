package org.fovea.backend.reference;

import org.fovea.backend.AttentionArguments;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShapes;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.DType;
import org.fovea.backend.DecodeShape;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.OutputGradients;
import org.jspecify.annotations.Nullable;

/** Attention, from its definition, one query at a time. */
abstract class ReferenceAttention extends ReferenceRows {

    ReferenceAttention(DType floatType) {
        super(floatType);
    }

    /** The arrays of one attention with the mask as a predicate. */
    static final class Problem {
        final AttentionShape shape;
        final AttentionSpec spec;
        final ReferenceArray query;
        final ReferenceArray key;
        final ReferenceArray value;
        final @Nullable ReferenceArray querySegments;
        final @Nullable ReferenceArray keySegments;
        final @Nullable ReferenceArray keyLengths;
        final double scale;

        Problem(ReferenceMemory memory, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {
            this.shape = shape;
            this.spec = spec;
            query = memory.use(in.query());
            key = memory.use(in.key());
            value = memory.use(in.value());
            querySegments = in.querySegments() == null ? null : memory.use(in.querySegments());
            keySegments = in.keySegments() == null ? null : memory.use(in.keySegments());
            keyLengths = in.keyLengths() == null ? null : memory.use(in.keyLengths());
            scale = spec.scale(shape.headDim());
        }

        int validKeys(int b) {
            if (keyLengths == null) {
                return shape.keys();
            }
            return Math.max(0, Math.min(shape.keys(), keyLengths.integer(b)));
        }

        boolean visible(int b, int i, int j) {
            int position = i + spec.firstQueryPosition(shape.queries(), validKeys(b));
            if (j >= validKeys(b)) {
                return false;
            }
            if (spec.windowLeft() != AttentionSpec.UNLIMITED && j < position - spec.windowLeft()) {
                return false;
            }
            if (spec.windowRight() != AttentionSpec.UNLIMITED && (long) j > (long) position + spec.windowRight()) {
                return false;
            }
            return querySegments == null
                    || keySegments == null
                    || querySegments.integer(b * shape.queries() + i) == keySegments.integer(b * shape.keys() + j);
        }

        int at(int b, int h, int row, int rows, int dim, int d) {
            return shape.layout() == AttentionShape.Layout.BHND
                    ? ((b * shape.heads() + h) * rows + row) * dim + d
                    : ((b * rows + row) * shape.heads() + h) * dim + d;
        }

        int queryAt(int b, int h, int i, int d) {
            return at(b, h, i, shape.queries(), shape.headDim(), d);
        }

        int keyAt(int b, int h, int j, int d) {
            return at(b, h, j, shape.keys(), shape.headDim(), d);
        }

        int valueAt(int b, int h, int j, int d) {
            return at(b, h, j, shape.keys(), shape.valueDim(), d);
        }

        int outputAt(int b, int h, int i, int d) {
            return at(b, h, i, shape.queries(), shape.valueDim(), d);
        }

        int rowAt(int b, int h, int i) {
            return (b * shape.heads() + h) * shape.queries() + i;
        }

        /** Scores of one query, -infinity where it may not see. */
        double[] scores(int b, int h, int i) {
            double[] scores = new double[shape.keys()];
            for (int j = 0; j < shape.keys(); j++) {
                scores[j] = Double.NEGATIVE_INFINITY;
                if (visible(b, i, j)) {
                    double sum = 0;
                    for (int d = 0; d < shape.headDim(); d++) {
                        sum += query.get(queryAt(b, h, i, d)) * key.get(keyAt(b, h, j, d));
                    }
                    scores[j] = scale * sum;
                }
            }
            return scores;
        }

        double[] probabilities(int b, int h, int i) {
            double[] scores = scores(b, h, i);
            double lse = logSumExp(scores);
            double[] p = new double[scores.length];
            for (int j = 0; j < p.length; j++) {
                p[j] = visible(b, i, j) ? Math.exp(scores[j] - lse) : 0;
            }
            return p;
        }
    }

    @Override
    public final void attentionForward(
            AttentionShape shape, AttentionSpec spec, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        AttentionShapes.forward(shape, in, output, logSumExp);
        Problem problem = new Problem(this, shape, spec, in);
        ReferenceArray out = use(output);
        ReferenceArray lse = use(logSumExp);
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                for (int i = 0; i < shape.queries(); i++) {
                    double logSum = logSumExp(problem.scores(b, h, i));
                    lse.set(
                            problem.rowAt(b, h, i),
                            logSum == Double.NEGATIVE_INFINITY ? Double.POSITIVE_INFINITY : logSum);
                    double[] p = problem.probabilities(b, h, i);
                    for (int d = 0; d < shape.valueDim(); d++) {
                        double sum = 0;
                        for (int j = 0; j < shape.keys(); j++) {
                            if (problem.visible(b, i, j)) {
                                sum += p[j] * problem.value.get(problem.valueAt(b, h, j, d));
                            }
                        }
                        out.set(problem.outputAt(b, h, i, d), sum);
                    }
                }
            }
        }
    }

    /**
     * Chain rule through the softmax: {@code dP_ij = dO_i . V_j}, {@code dS_ij = P_ij (dP_ij - sum_k P_ik dP_ik + dLSE_i)}.
     * The probabilities are computed afresh, so that this says nothing on how output and logSumExp came about.
     */
    @Override
    public final void attentionBackward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            AttentionArguments gradients) {
        AttentionShapes.backward(shape, in, output, logSumExp, dOutput, dLogSumExp, gradients);
        use(output);
        use(logSumExp);
        Problem problem = new Problem(this, shape, spec, in);
        ReferenceArray dOut = use(dOutput);
        ReferenceArray dLse = dLogSumExp == null ? null : use(dLogSumExp);
        double[] dQ = new double[(int) shape.querySize()];
        double[] dK = new double[(int) shape.keySize()];
        double[] dV = new double[(int) shape.valueSize()];
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                for (int i = 0; i < shape.queries(); i++) {
                    double[] p = problem.probabilities(b, h, i);
                    double[] dP = new double[p.length];
                    double expected = 0;
                    for (int j = 0; j < p.length; j++) {
                        if (problem.visible(b, i, j)) {
                            for (int d = 0; d < shape.valueDim(); d++) {
                                double dO = dOut.get(problem.outputAt(b, h, i, d));
                                dP[j] += dO * problem.value.get(problem.valueAt(b, h, j, d));
                                dV[problem.valueAt(b, h, j, d)] += p[j] * dO;
                            }
                            expected += p[j] * dP[j];
                        }
                    }
                    for (int j = 0; j < p.length; j++) {
                        if (problem.visible(b, i, j)) {
                            double fromLse = dLse == null ? 0 : dLse.get(problem.rowAt(b, h, i));
                            double dS = problem.scale * p[j] * (dP[j] - expected + fromLse);
                            for (int d = 0; d < shape.headDim(); d++) {
                                int q = problem.queryAt(b, h, i, d);
                                int k = problem.keyAt(b, h, j, d);
                                dQ[q] += dS * problem.key.get(k);
                                dK[k] += dS * problem.query.get(q);
                            }
                        }
                    }
                }
            }
        }
        store(dQ, use(gradients.query()));
        store(dK, use(gradients.key()));
        store(dV, use(gradients.value()));
    }

    @Override
    public final void attentionTangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent) {
        AttentionShapes.tangent(shape, in, tangents, output, logSumExp, outputTangent, logSumExpTangent);
        use(output);
        use(logSumExp);
        new ReferenceTangents(new Problem(this, shape, spec, in), this, tangents)
                .forward(use(outputTangent), use(logSumExpTangent));
    }

    @Override
    public final void attentionBackwardTangent(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            AttentionArguments tangents,
            DeviceArray output,
            DeviceArray logSumExp,
            OutputGradients gradients,
            DeviceArray outputTangent,
            DeviceArray logSumExpTangent,
            AttentionArguments gradientTangents) {
        AttentionShapes.backwardTangent(
                shape, in, tangents, output, logSumExp, gradients, outputTangent, logSumExpTangent, gradientTangents);
        use(output);
        use(logSumExp);
        ReferenceTangents reference = new ReferenceTangents(new Problem(this, shape, spec, in), this, tangents);
        reference.forward(use(outputTangent), use(logSumExpTangent));
        reference.backward(gradients, gradientTangents);
    }

    static void store(double[] values, ReferenceArray to) {
        for (int i = 0; i < values.length; i++) {
            to.set(i, values[i]);
        }
    }

    @Override
    public final void attentionDecode(
            DecodeShape shape,
            AttentionSpec spec,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        AttentionShapes.decode(shape, spec, query, keyCache, valueCache, counts, newest, output);
        double scale = spec.scale(shape.headDim());
        ReferenceArray q = use(query);
        ReferenceArray keys = use(keyCache);
        ReferenceArray values = use(valueCache);
        ReferenceArray count = use(counts);
        ReferenceArray out = use(output);
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                int head = b * shape.heads() + h;
                double[] scores = new double[count.integer(b)];
                for (int age = 0; age < scores.length; age++) {
                    int slot = Math.floorMod(newest - age, shape.capacity());
                    int at = (b * shape.capacity() + slot) * shape.heads() + h;
                    for (int d = 0; d < shape.headDim(); d++) {
                        scores[age] += scale * q.get(head * shape.headDim() + d) * keys.get(at * shape.headDim() + d);
                    }
                }
                double lse = logSumExp(scores);
                for (int d = 0; d < shape.valueDim(); d++) {
                    double sum = 0;
                    for (int age = 0; age < scores.length; age++) {
                        int slot = Math.floorMod(newest - age, shape.capacity());
                        int at = (b * shape.capacity() + slot) * shape.heads() + h;
                        sum += Math.exp(scores[age] - lse) * values.get(at * shape.valueDim() + d);
                    }
                    out.set(head * shape.valueDim() + d, sum);
                }
            }
        }
    }
}
