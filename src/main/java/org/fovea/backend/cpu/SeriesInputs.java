package org.fovea.backend.cpu;

import java.util.function.Function;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.ScoreTerm;
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
        ScoreTerm term = in.mask();
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
