// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.UnaryOp;

/** Functions of numbers and of rows of numbers, from their formulas. */
final class Functions {
    private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
    private static final double GELU_CUBIC = 0.044715;

    private Functions() {}

    static double apply(UnaryOp op, double x) {
        return switch (op) {
            case NEGATE -> -x;
            case ABS -> Math.abs(x);
            case SIGN -> Math.signum(x);
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case SQRT -> Math.sqrt(x);
            case RSQRT -> 1 / Math.sqrt(x);
            case RECIPROCAL -> 1 / x;
            case SQUARE -> x * x;
            case TANH -> Math.tanh(x);
            case SIGMOID -> 1 / (1 + Math.exp(-x));
            case SOFTPLUS -> Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
            case RELU -> Math.max(x, 0);
            case STEP -> x > 0 ? 1 : 0;
            case GELU -> x / 2 * (1 + Math.tanh(geluArgument(x)));
            case SIN -> Math.sin(x);
            case COS -> Math.cos(x);
        };
    }

    static double apply(BinaryOp op, double a, double b) {
        return switch (op) {
            case ADD -> a + b;
            case SUBTRACT -> a - b;
            case MULTIPLY -> a * b;
            case DIVIDE -> a / b;
            case MIN -> Math.min(a, b);
            case MAX -> Math.max(a, b);
            case LESS -> a < b ? 1 : 0;
            case LESS_EQUAL -> a <= b ? 1 : 0;
            case EQUAL -> a == b ? 1 : 0;
            case TANH_GRADIENT -> (1 - a * a) * b;
            case SIGMOID_GRADIENT -> a * (1 - a) * b;
            case RELU_GRADIENT -> a > 0 ? b : 0;
            case GELU_GRADIENT -> {
                double t = Math.tanh(geluArgument(a));
                double slope = SQRT_2_OVER_PI * (1 + 3 * GELU_CUBIC * a * a);
                yield ((1 + t) / 2 + a / 2 * (1 - t * t) * slope) * b;
            }
        };
    }

    private static double geluArgument(double x) {
        return SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x);
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
    static double[] shifted(double[] x) {
        double max = Double.NEGATIVE_INFINITY;
        for (double element : x) {
            max = Math.max(max, element);
        }
        for (int i = 0; i < x.length && max != Double.NEGATIVE_INFINITY; i++) {
            x[i] -= max;
        }
        return x;
    }

    static double mean(double[] x) {
        double sum = 0;
        for (double element : x) {
            sum += element;
        }
        return sum / x.length;
    }

    static double variance(double[] x) {
        double mean = mean(x);
        double sum = 0;
        for (double element : x) {
            sum += (element - mean) * (element - mean);
        }
        return sum / x.length;
    }
}
