package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/** {@link org.fovea.backend.attention.OutputGradients} whose arrays were checked and lie on the CPU. */
public record OutputGradientArrays(
        CpuArray dOutput,
        @Nullable CpuArray dLogSumExp,
        @Nullable CpuArray dOutputTangent,
        @Nullable CpuArray dLogSumExpTangent) {}
