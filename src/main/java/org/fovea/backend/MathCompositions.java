package org.fovea.backend;

import org.jspecify.annotations.Nullable;

final class MathCompositions {
    private MathCompositions() {}

    static void layerNorm(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("layerNorm");
    }

    static void layerNormBackward(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("layerNormBackward");
    }

    static void linear(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("linear");
    }

    static void logSoftmax(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("logSoftmax");
    }

    static void rotary(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("rotary");
    }

    static void softmax(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("softmax");
    }

    static void standardize(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("standardize");
    }
}
