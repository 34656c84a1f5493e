package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.cpu.attention.series.ScoreReader;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/** {@link org.fovea.backend.attention.AttentionArguments} whose arrays were checked and lie on the CPU. */
public record ArgumentArrays(
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
