package org.fovea.backend.reference;

import org.fovea.backend.math.Activation;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** The fused members of {@code MathOps}, each from its formula. */
abstract class ReferenceRows extends ReferencePrimitives {

    ReferenceRows(DType floatType) {
        super(floatType);
    }

    @Override
    public final void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        MathChecks.linear(rows, in, out, x, weight, bias, y);
        ReferenceArray from = use(x);
        ReferenceArray w = use(weight);
        ReferenceArray shift = bias == null ? null : use(bias);
        ReferenceArray to = use(y);
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < out; o++) {
                double sum = shift == null ? 0 : shift.get(o);
                for (int i = 0; i < in; i++) {
                    sum += from.get(r * in + i) * w.get(i * out + o);
                }
                double activated = switch (activation) {
                    case NONE -> sum;
                    case TANH -> Math.tanh(sum);
                    case RELU -> Math.max(sum, 0);
                    case SIGMOID -> 1 / (1 + Math.exp(-sum));
                };
                to.set(r * out + o, activated);
            }
        }
    }

    /** Row {@code row} of an array of rows. */
    static double[] row(ReferenceArray x, int row, int width) {
        double[] values = new double[width];
        for (int i = 0; i < width; i++) {
            values[i] = x.get(row * width + i);
        }
        return values;
    }

    /** Log of the sum of exp, -infinity if there is nothing but -infinity. */
    static double logSumExp(double[] x) {
        double max = Double.NEGATIVE_INFINITY;
        for (double element : x) {
            max = Math.max(max, element);
        }
        if (max == Double.NEGATIVE_INFINITY) {
            return max;
        }
        double sum = 0;
        for (double element : x) {
            sum += Math.exp(element - max);
        }
        return max + Math.log(sum);
    }

    /** The same less its largest element, so that a common offset costs no digits. */
    private static double[] shifted(double[] x) {
        double max = Double.NEGATIVE_INFINITY;
        for (double element : x) {
            max = Math.max(max, element);
        }
        for (int i = 0; i < x.length && max != Double.NEGATIVE_INFINITY; i++) {
            x[i] -= max;
        }
        return x;
    }

    @Override
    public final void softmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("softmax", rows, width, x, y);
        ReferenceArray from = use(x);
        ReferenceArray to = use(y);
        for (int r = 0; r < rows; r++) {
            double[] row = shifted(row(from, r, width));
            double sum = 0;
            for (double element : row) {
                sum += Math.exp(element);
            }
            for (int i = 0; i < width; i++) {
                to.set(r * width + i, sum == 0 ? 0 : Math.exp(row[i]) / sum);
            }
        }
    }

    @Override
    public final void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("logSoftmax", rows, width, x, y);
        ReferenceArray from = use(x);
        ReferenceArray to = use(y);
        for (int r = 0; r < rows; r++) {
            double[] row = shifted(row(from, r, width));
            double lse = logSumExp(row);
            for (int i = 0; i < width; i++) {
                to.set(r * width + i, row[i] - lse);
            }
        }
    }

    @Override
    public final void layerNorm(
            int rows,
            int width,
            float epsilon,
            DeviceArray x,
            DeviceArray gain,
            DeviceArray bias,
            DeviceArray y,
            DeviceArray mean,
            DeviceArray reciprocalStd) {
        MathChecks.layerNorm(rows, width, x, gain, bias, y, mean, reciprocalStd);
        ReferenceArray from = use(x);
        ReferenceArray scale = use(gain);
        ReferenceArray shift = use(bias);
        ReferenceArray to = use(y);
        ReferenceArray means = use(mean);
        ReferenceArray reciprocals = use(reciprocalStd);
        for (int r = 0; r < rows; r++) {
            double[] row = row(from, r, width);
            double average = mean(row);
            double reciprocal = 1 / Math.sqrt(variance(row) + epsilon);
            means.set(r, average);
            reciprocals.set(r, reciprocal);
            for (int i = 0; i < width; i++) {
                to.set(r * width + i, (row[i] - average) * reciprocal * scale.get(i) + shift.get(i));
            }
        }
    }

    private static double mean(double[] x) {
        double sum = 0;
        for (double element : x) {
            sum += element;
        }
        return sum / x.length;
    }

    private static double variance(double[] x) {
        double mean = mean(x);
        double sum = 0;
        for (double element : x) {
            sum += (element - mean) * (element - mean);
        }
        return sum / x.length;
    }

    /**
     * With {@code n = (x - mean) reciprocalStd} and {@code dn = dy gain}: {@code dx = reciprocalStd (dn - mean(dn) - n
     * mean(dn n))}, {@code dGain = sum dy n}, {@code dBias = sum dy}.
     */
    @Override
    public final void layerNormBackward(
            int rows,
            int width,
            DeviceArray x,
            DeviceArray gain,
            DeviceArray mean,
            DeviceArray reciprocalStd,
            DeviceArray dy,
            DeviceArray dx,
            DeviceArray dGain,
            DeviceArray dBias) {
        MathChecks.layerNormBackward(rows, width, x, gain, mean, reciprocalStd, dy, dx, dGain, dBias);
        ReferenceArray from = use(x);
        ReferenceArray scale = use(gain);
        ReferenceArray means = use(mean);
        ReferenceArray reciprocals = use(reciprocalStd);
        ReferenceArray upstream = use(dy);
        ReferenceArray to = use(dx);
        double[] gainGradient = new double[width];
        double[] biasGradient = new double[width];
        for (int r = 0; r < rows; r++) {
            double[] normal = row(from, r, width);
            double[] dNormal = row(upstream, r, width);
            double alongNormal = 0;
            for (int i = 0; i < width; i++) {
                normal[i] = (normal[i] - means.get(r)) * reciprocals.get(r);
                gainGradient[i] += dNormal[i] * normal[i];
                biasGradient[i] += dNormal[i];
                dNormal[i] *= scale.get(i);
                alongNormal += dNormal[i] * normal[i];
            }
            double average = mean(dNormal);
            for (int i = 0; i < width; i++) {
                double centred = dNormal[i] - average - normal[i] * alongNormal / width;
                to.set(r * width + i, reciprocals.get(r) * centred);
            }
        }
        ReferenceArray toGain = use(dGain);
        ReferenceArray toBias = use(dBias);
        for (int i = 0; i < width; i++) {
            toGain.set(i, gainGradient[i]);
            toBias.set(i, biasGradient[i]);
        }
    }

    @Override
    public final void rotary(
            int rows,
            int heads,
            int headDim,
            float base,
            int sign,
            DeviceArray x,
            DeviceArray positions,
            DeviceArray y) {
        MathChecks.rotary(rows, heads, headDim, sign, x, positions, y);
        ReferenceArray from = use(x);
        ReferenceArray position = use(positions);
        ReferenceArray to = use(y);
        int half = headDim / 2;
        for (int r = 0; r < rows; r++) {
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < half; i++) {
                    int first = (r * heads + h) * headDim + i;
                    int second = first + half;
                    double angle = sign * position.get(r) * Math.pow(base, -2.0 * i / headDim);
                    double turnedFirst = from.get(first) * Math.cos(angle) - from.get(second) * Math.sin(angle);
                    double turnedSecond = from.get(first) * Math.sin(angle) + from.get(second) * Math.cos(angle);
                    to.set(first, turnedFirst);
                    to.set(second, turnedSecond);
                }
            }
        }
    }

    @Override
    public final void standardize(float epsilon, DeviceArray x, DeviceArray y) {
        MathChecks.standardize(x, y);
        ReferenceArray to = use(y);
        double[] all = row(use(x), 0, to.size());
        double mean = mean(all);
        double std = Math.sqrt(variance(all));
        for (int i = 0; i < all.length; i++) {
            to.set(i, (all[i] - mean) / (std + epsilon));
        }
    }
}
