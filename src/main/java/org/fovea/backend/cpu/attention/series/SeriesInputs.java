package org.fovea.backend.cpu.attention.series;

import java.util.function.Function;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** What attention reads beside its differentiable arguments. */
record SeriesInputs(
        @Nullable ScoreReader mask,
        @Nullable CpuArray alibiSlopes,
        @Nullable CpuArray querySegments,
        @Nullable CpuArray keySegments,
        @Nullable CpuArray keyLengths,
        @Nullable CpuArray querySequences,
        @Nullable CpuArray keySequences) {

    static SeriesInputs of(AttentionInputs in, Function<DeviceArray, CpuArray> use) {
        ScoreBias term = in.mask();
        return new SeriesInputs(
                term == null ? null : new ScoreReader(use.apply(term.array()), term),
                ifPresent(in.alibiSlopes(), use),
                ifPresent(in.querySegments(), use),
                ifPresent(in.keySegments(), use),
                ifPresent(in.keyLengths(), use),
                ifPresent(in.querySequences(), use),
                ifPresent(in.keySequences(), use));
    }

    private static @Nullable CpuArray ifPresent(@Nullable DeviceArray array, Function<DeviceArray, CpuArray> use) {
        return array == null ? null : use.apply(array);
    }
}
