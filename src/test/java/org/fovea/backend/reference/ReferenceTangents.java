package org.fovea.backend.reference;

import org.fovea.backend.AttentionArguments;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.OutputGradients;
import org.jspecify.annotations.Nullable;

/**
 * Tangents of attention and of its backward, one query at a time: the product rule applied to every line of the forward
 * and of the backward. Sums over keys take the place of products with the output, so that this says nothing on how output
 * and logSumExp came about.
 */
final class ReferenceTangents {
    private final ReferenceAttention.Problem problem;
    private final ReferenceMemory memory;
    private final AttentionShape shape;
    private final ReferenceArray queryTangent;
    private final ReferenceArray keyTangent;
    private final ReferenceArray valueTangent;

    ReferenceTangents(ReferenceAttention.Problem problem, ReferenceMemory memory, AttentionArguments tangents) {
        this.problem = problem;
        this.memory = memory;
        shape = problem.shape;
        queryTangent = memory.use(tangents.query());
        keyTangent = memory.use(tangents.key());
        valueTangent = memory.use(tangents.value());
    }

    /** Calls {@code row} for every batch row, head and query. */
    private interface Row {
        void at(int b, int h, int i);
    }

    private void forEachRow(Row row) {
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                for (int i = 0; i < shape.queries(); i++) {
                    row.at(b, h, i);
                }
            }
        }
    }

    /** Tangents of the scores of one query, 0 where it may not see. */
    private double[] scoreTangents(int b, int h, int i) {
        double[] t = new double[shape.keys()];
        for (int j = 0; j < t.length; j++) {
            if (problem.visible(b, i, j)) {
                for (int d = 0; d < shape.headDim(); d++) {
                    int q = problem.queryAt(b, h, i, d);
                    int k = problem.keyAt(b, h, j, d);
                    t[j] += problem.scale
                            * (queryTangent.get(q) * problem.key.get(k) + problem.query.get(q) * keyTangent.get(k));
                }
            }
        }
        return t;
    }

    private static double dot(double[] x, double[] y) {
        double sum = 0;
        for (int j = 0; j < x.length; j++) {
            sum += x[j] * y[j];
        }
        return sum;
    }

    /** {@code p (t - sum p t)}: the tangent of a softmax p whose arguments have the tangents t. */
    private static double[] softmaxTangent(double[] p, double[] t) {
        double mean = dot(p, t);
        double[] y = new double[p.length];
        for (int j = 0; j < p.length; j++) {
            y[j] = p[j] * (t[j] - mean);
        }
        return y;
    }

    void forward(ReferenceArray outputTangent, ReferenceArray logSumExpTangent) {
        forEachRow((b, h, i) -> {
            double[] p = problem.probabilities(b, h, i);
            double[] t = scoreTangents(b, h, i);
            double[] pTangent = softmaxTangent(p, t);
            logSumExpTangent.set(problem.rowAt(b, h, i), dot(p, t));
            for (int d = 0; d < shape.valueDim(); d++) {
                double sum = 0;
                for (int j = 0; j < p.length; j++) {
                    if (problem.visible(b, i, j)) {
                        int v = problem.valueAt(b, h, j, d);
                        sum += pTangent[j] * problem.value.get(v) + p[j] * valueTangent.get(v);
                    }
                }
                outputTangent.set(problem.outputAt(b, h, i, d), sum);
            }
        });
    }

    void backward(OutputGradients gradients, AttentionArguments written) {
        double[] dQ = new double[(int) shape.querySize()];
        double[] dK = new double[(int) shape.keySize()];
        double[] dV = new double[(int) shape.valueSize()];
        ReferenceArray dOut = memory.use(gradients.dOutput());
        forEachRow((b, h, i) -> {
            double[] p = problem.probabilities(b, h, i);
            double[] pTangent = softmaxTangent(p, scoreTangents(b, h, i));
            double[] dP = new double[p.length];
            double[] dPTangent = new double[p.length];
            for (int j = 0; j < p.length; j++) {
                for (int d = 0; problem.visible(b, i, j) && d < shape.valueDim(); d++) {
                    int o = problem.outputAt(b, h, i, d);
                    int v = problem.valueAt(b, h, j, d);
                    double dO = dOut.get(o);
                    double dOTangent = orZero(gradients.dOutputTangent(), o);
                    dP[j] += dO * problem.value.get(v);
                    dPTangent[j] += dO * valueTangent.get(v) + dOTangent * problem.value.get(v);
                    dV[v] += pTangent[j] * dO + p[j] * dOTangent;
                }
            }
            int row = problem.rowAt(b, h, i);
            double along = dot(p, dP) - orZero(gradients.dLogSumExp(), row);
            double alongTangent = dot(pTangent, dP) + dot(p, dPTangent) - orZero(gradients.dLogSumExpTangent(), row);
            for (int j = 0; j < p.length; j++) {
                if (problem.visible(b, i, j)) {
                    double dS = problem.scale * p[j] * (dP[j] - along);
                    double dSTangent =
                            problem.scale * (pTangent[j] * (dP[j] - along) + p[j] * (dPTangent[j] - alongTangent));
                    for (int d = 0; d < shape.headDim(); d++) {
                        int q = problem.queryAt(b, h, i, d);
                        int k = problem.keyAt(b, h, j, d);
                        dQ[q] += dSTangent * problem.key.get(k) + dS * keyTangent.get(k);
                        dK[k] += dSTangent * problem.query.get(q) + dS * queryTangent.get(q);
                    }
                }
            }
        });
        ReferenceAttention.store(dQ, memory.use(written.query()));
        ReferenceAttention.store(dK, memory.use(written.key()));
        ReferenceAttention.store(dV, memory.use(written.value()));
    }

    private double orZero(@Nullable DeviceArray array, int index) {
        return array == null ? 0 : memory.use(array).get(index);
    }
}
