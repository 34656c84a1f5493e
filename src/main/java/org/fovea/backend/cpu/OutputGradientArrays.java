package org.fovea.backend.cpu;

import org.jspecify.annotations.Nullable;

/** {@link org.fovea.backend.OutputGradients} whose arrays were checked and lie on the CPU. */
record OutputGradientArrays(
        CpuArray dOutput,
        @Nullable CpuArray dLogSumExp,
        @Nullable CpuArray dOutputTangent,
        @Nullable CpuArray dLogSumExpTangent) {}
