package org.fovea.backend.cpu.attention.fused;

import java.util.function.IntBinaryOperator;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;

/**
 * Attention and its gradient in float64 by the textbook: one query at a time, one visible key at a time. Beside every sum
 * stands the sum of its terms' magnitudes, against which a float32 result may be judged.
 */
final class NaiveAttention {
    final double[] output;
    final double[] logSumExp;
    final double[] dQuery;
    final double[] dKey;
    final double[] dValue;

    /** Largest magnitude that a score has on its way, as its products are added: what its rounding is in proportion to. */
    double largestScore;

    double outputMagnitude;
    double dQueryMagnitude;
    double dKeyMagnitude;
    double dValueMagnitude;

    /** Which keys a query sees. */
    interface Visible {
        boolean test(int batch, int query, int key);
    }

    NaiveAttention(
            AttentionShape shape,
            AttentionSpec spec,
            Visible visible,
            float[] q,
            float[] k,
            float[] v,
            float[] dOutput,
            float[] dLogSumExp) {
        output = new double[(int) shape.outputSize()];
        logSumExp = new double[(int) shape.logSumExpSize()];
        dQuery = new double[(int) shape.querySize()];
        dKey = new double[(int) shape.keySize()];
        dValue = new double[(int) shape.valueSize()];
        double[] absQuery = new double[dQuery.length];
        double[] absKey = new double[dKey.length];
        double[] absValue = new double[dValue.length];
        int d = shape.headDim();
        int dv = shape.valueDim();
        double scale = spec.scale(d);
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                int bb = b;
                int hh = h;
                IntBinaryOperator at = (rows, row) -> shape.layout() == AttentionShape.Layout.BHND
                        ? (bb * shape.heads() + hh) * rows + row
                        : (bb * rows + row) * shape.heads() + hh;
                for (int i = 0; i < shape.queries(); i++) {
                    int qi = at.applyAsInt(shape.queries(), i);
                    int scalar = (b * shape.heads() + h) * shape.queries() + i;
                    double[] p = new double[shape.keys()];
                    double[] slope = new double[shape.keys()];
                    double maximum = Double.NEGATIVE_INFINITY;
                    for (int j = 0; j < shape.keys(); j++) {
                        p[j] = Double.NEGATIVE_INFINITY;
                        if (visible.test(b, i, j)) {
                            double dot = 0;
                            for (int c = 0; c < d; c++) {
                                dot += (double) q[qi * d + c] * k[at.applyAsInt(shape.keys(), j) * d + c];
                                largestScore = Math.max(largestScore, Math.abs(scale * dot));
                            }
                            double cap = spec.softcap();
                            double tanh = cap == 0 ? 0 : Math.tanh(scale * dot / cap);
                            p[j] = cap == 0 ? scale * dot : cap * tanh;
                            slope[j] = 1 - tanh * tanh;
                            maximum = Math.max(maximum, p[j]);
                        }
                    }
                    if (maximum == Double.NEGATIVE_INFINITY) {
                        logSumExp[scalar] = Double.POSITIVE_INFINITY;
                        continue;
                    }
                    double sum = 0;
                    for (int j = 0; j < shape.keys(); j++) {
                        sum += Math.exp(p[j] - maximum);
                    }
                    logSumExp[scalar] = maximum + Math.log(sum);
                    double delta = -dLogSumExp[scalar];
                    for (int j = 0; j < shape.keys(); j++) {
                        if (p[j] == Double.NEGATIVE_INFINITY) {
                            continue;
                        }
                        p[j] = Math.exp(p[j] - logSumExp[scalar]);
                        int kj = at.applyAsInt(shape.keys(), j);
                        double kept = spec.dropoutFactor(b * shape.heads() + h, i, j);
                        for (int c = 0; c < dv; c++) {
                            output[qi * dv + c] += p[j] * kept * v[kj * dv + c];
                            outputMagnitude = Math.max(outputMagnitude, Math.abs(kept * v[kj * dv + c]));
                            dValue[kj * dv + c] += p[j] * kept * dOutput[qi * dv + c];
                            absValue[kj * dv + c] += p[j] * kept * Math.abs(dOutput[qi * dv + c]);
                        }
                    }
                    for (int c = 0; c < dv; c++) {
                        delta += output[qi * dv + c] * dOutput[qi * dv + c];
                    }
                    for (int j = 0; j < shape.keys(); j++) {
                        if (p[j] == Double.NEGATIVE_INFINITY) {
                            continue;
                        }
                        int kj = at.applyAsInt(shape.keys(), j);
                        double dp = 0;
                        double dpAbs = Math.abs(delta);
                        for (int c = 0; c < dv; c++) {
                            dp += (double) dOutput[qi * dv + c] * v[kj * dv + c];
                            dpAbs += Math.abs((double) dOutput[qi * dv + c] * v[kj * dv + c]);
                        }
                        double kept = spec.dropoutFactor(b * shape.heads() + h, i, j);
                        double ds = scale * p[j] * (kept * dp - delta) * slope[j];
                        double dsAbs = Math.abs(scale) * p[j] * (1 + kept) * dpAbs;
                        for (int c = 0; c < d; c++) {
                            dQuery[qi * d + c] += ds * k[kj * d + c];
                            absQuery[qi * d + c] += dsAbs * Math.abs(k[kj * d + c]);
                            dKey[kj * d + c] += ds * q[qi * d + c];
                            absKey[kj * d + c] += dsAbs * Math.abs(q[qi * d + c]);
                        }
                    }
                }
            }
        }
        dQueryMagnitude = largest(absQuery);
        dKeyMagnitude = largest(absKey);
        dValueMagnitude = largest(absValue);
    }

    private static double largest(double[] x) {
        double largest = 0;
        for (double value : x) {
            largest = Math.max(largest, value);
        }
        return largest;
    }
}
