package org.fovea.backend;

import org.jspecify.annotations.Nullable;

final class RlCompositions {
    private RlCompositions() {}

    static void adam(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("adam");
    }

    static void advantages(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("advantages");
    }

    static void argmax(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("argmax");
    }

    static void ppoCategorical(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("ppoCategorical");
    }

    static void ppoGaussian(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("ppoGaussian");
    }

    static void sampleCategorical(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("sampleCategorical");
    }

    static void sampleGaussian(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("sampleGaussian");
    }
}
