package org.fovea.backend.cpu;

import org.jspecify.annotations.Nullable;

/** {@link org.fovea.backend.AttentionArguments} whose arrays were checked and lie on the CPU. */
record ArgumentArrays(
        CpuArray query,
        CpuArray key,
        CpuArray value,
        @Nullable ScoreReader bias,
        @Nullable CpuArray sink) {

    /** The same with other queries, keys and values. */
    ArgumentArrays with(CpuArray otherQuery, CpuArray otherKey, CpuArray otherValue) {
        return new ArgumentArrays(otherQuery, otherKey, otherValue, bias, sink);
    }
}
