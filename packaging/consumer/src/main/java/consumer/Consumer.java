// SPDX-License-Identifier: Apache-2.0
package consumer;

import java.util.Random;
import org.fovea.attention.Attention;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.tensor.GradientMode;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/** Attention and its gradient beside plain loops. */
public final class Consumer {
    private static final int QUERIES = 3;
    private static final int KEYS = 5;
    private static final int DIM = 4;

    private Consumer() {}

    public static void main(String[] arguments) {
        Random random = new Random(1);
        double[] q = random.doubles(QUERIES * DIM, -1, 1).toArray();
        double[] k = random.doubles(KEYS * DIM, -1, 1).toArray();
        double[] v = random.doubles(KEYS * DIM, -1, 1).toArray();
        try (Backend backend = Backends.open("cpu", 1).backend();
                Tape tape = Tape.recording(backend)) {
            Tensor query = tape.variable(q, 1, 1, QUERIES, DIM);
            Tensor key = tape.variable(k, 1, 1, KEYS, DIM);
            Tensor value = tape.variable(v, 1, 1, KEYS, DIM);
            Tensor output = Attention.apply(query, key, value, AttentionSpec.DEFAULT);
            double[] gradient = tape.gradient(output.square().sum(), query, GradientMode.DIFFERENTIABLE)
                    .toDoubles();
            double error = difference(output.toDoubles(), attention(q, k, v));
            // A central difference in the first element.
            double step = 1e-3;
            double[] more = q.clone();
            double[] less = q.clone();
            more[0] += step;
            less[0] -= step;
            double slope = (squares(attention(more, k, v)) - squares(attention(less, k, v))) / (2 * step);
            double gradientError = Math.abs(gradient[0] - slope);
            System.out.printf("attention: error %.1e, gradient %.1e%n", error, gradientError);
            if (!(error < 1e-5) || !(gradientError < 1e-4)) {
                throw new AssertionError("attention is computed wrongly");
            }
        }
    }

    private static double[] attention(double[] q, double[] k, double[] v) {
        double[] output = new double[QUERIES * DIM];
        for (int i = 0; i < QUERIES; i++) {
            double[] weights = new double[KEYS];
            double sum = 0;
            for (int j = 0; j < KEYS; j++) {
                double score = 0;
                for (int d = 0; d < DIM; d++) {
                    score += q[i * DIM + d] * k[j * DIM + d];
                }
                weights[j] = Math.exp(score / Math.sqrt(DIM));
                sum += weights[j];
            }
            for (int j = 0; j < KEYS; j++) {
                for (int d = 0; d < DIM; d++) {
                    output[i * DIM + d] += weights[j] / sum * v[j * DIM + d];
                }
            }
        }
        return output;
    }

    private static double squares(double[] x) {
        double sum = 0;
        for (double element : x) {
            sum += element * element;
        }
        return sum;
    }

    private static double difference(double[] a, double[] b) {
        double largest = 0;
        for (int i = 0; i < a.length; i++) {
            largest = Math.max(largest, Math.abs(a[i] - b[i]));
        }
        return largest;
    }
}
