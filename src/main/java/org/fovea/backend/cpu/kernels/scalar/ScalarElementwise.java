// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.scalar;

import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.UnaryOp;

/** Elementwise functions, one loop each. */
final class ScalarElementwise {
    private ScalarElementwise() {}

    static void map(UnaryOp op, float[] x, int xo, float[] y, int yo, int n) {
        switch (op) {
            case NEGATE -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = -x[xo + i];
                }
            }
            case ABS -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = Math.abs(x[xo + i]);
                }
            }
            case SIGN -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = Math.signum(x[xo + i]);
                }
            }
            case EXP -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = ScalarMath.exp(x[xo + i]);
                }
            }
            case LOG -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = ScalarMath.log(x[xo + i]);
                }
            }
            case SQRT -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = (float) Math.sqrt(x[xo + i]);
                }
            }
            case RSQRT -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = 1f / (float) Math.sqrt(x[xo + i]);
                }
            }
            case RECIPROCAL -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = 1f / x[xo + i];
                }
            }
            case SQUARE -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = x[xo + i] * x[xo + i];
                }
            }
            case TANH -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = ScalarMath.tanh(x[xo + i]);
                }
            }
            case SIGMOID -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = ScalarMath.sigmoid(x[xo + i]);
                }
            }
            case SOFTPLUS -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = ScalarMath.softplus(x[xo + i]);
                }
            }
            case RELU -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = Math.max(x[xo + i], 0f);
                }
            }
            case STEP -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = x[xo + i] > 0 ? 1f : 0f;
                }
            }
            case GELU -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = ScalarMath.gelu(x[xo + i]);
                }
            }
            case SIN -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = (float) Math.sin(x[xo + i]);
                }
            }
            case COS -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = (float) Math.cos(x[xo + i]);
                }
            }
        }
    }

    static void zip(BinaryOp op, float[] a, int ao, int sa, float[] b, int bo, int sb, float[] y, int yo, int n) {
        switch (op) {
            case ADD -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = a[ao + i * sa] + b[bo + i * sb];
                }
            }
            case SUBTRACT -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = a[ao + i * sa] - b[bo + i * sb];
                }
            }
            case MULTIPLY -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = a[ao + i * sa] * b[bo + i * sb];
                }
            }
            case DIVIDE -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = a[ao + i * sa] / b[bo + i * sb];
                }
            }
            case MIN -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = Math.min(a[ao + i * sa], b[bo + i * sb]);
                }
            }
            case MAX -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = Math.max(a[ao + i * sa], b[bo + i * sb]);
                }
            }
            case LESS -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = a[ao + i * sa] < b[bo + i * sb] ? 1f : 0f;
                }
            }
            case LESS_EQUAL -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = a[ao + i * sa] <= b[bo + i * sb] ? 1f : 0f;
                }
            }
            case EQUAL -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = a[ao + i * sa] == b[bo + i * sb] ? 1f : 0f;
                }
            }
            case TANH_GRADIENT -> {
                for (int i = 0; i < n; i++) {
                    float t = a[ao + i * sa];
                    y[yo + i] = (1f - t * t) * b[bo + i * sb];
                }
            }
            case SIGMOID_GRADIENT -> {
                for (int i = 0; i < n; i++) {
                    float s = a[ao + i * sa];
                    y[yo + i] = s * (1f - s) * b[bo + i * sb];
                }
            }
            case RELU_GRADIENT -> {
                for (int i = 0; i < n; i++) {
                    float g = b[bo + i * sb];
                    y[yo + i] = a[ao + i * sa] > 0 ? g : 0f;
                }
            }
            case GELU_GRADIENT -> {
                for (int i = 0; i < n; i++) {
                    y[yo + i] = ScalarMath.geluDerivative(a[ao + i * sa]) * b[bo + i * sb];
                }
            }
        }
    }
}
