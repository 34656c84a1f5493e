package org.fovea.backend;

import org.jspecify.annotations.Nullable;

final class AttentionCompositions {
    private AttentionCompositions() {}

    static void backward(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("backward");
    }

    static void decode(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("decode");
    }

    static void forward(MathOps b, @Nullable Object... arguments) {
        throw new UnsupportedOperationException("forward");
    }
}
