package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.cpu.attention.series.ScoreReader;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/** {@link org.fovea.backend.attention.AttentionInputs} whose arrays were checked and lie on the CPU. */
public record AttentionArrays(
        CpuArray query,
        CpuArray key,
        CpuArray value,
        @Nullable ScoreReader bias,
        @Nullable CpuArray sink,
        @Nullable ScoreReader mask,
        @Nullable CpuArray alibiSlopes,
        @Nullable CpuArray querySegments,
        @Nullable CpuArray keySegments,
        @Nullable CpuArray keyLengths,
        @Nullable CpuArray querySequences,
        @Nullable CpuArray keySequences) {

    /** The same with other queries, keys and values. */
    AttentionArrays with(CpuArray otherQuery, CpuArray otherKey, CpuArray otherValue) {
        return new AttentionArrays(
                otherQuery,
                otherKey,
                otherValue,
                bias,
                sink,
                mask,
                alibiSlopes,
                querySegments,
                keySegments,
                keyLengths,
                querySequences,
                keySequences);
    }
}
