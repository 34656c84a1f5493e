// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.List;
import java.util.Objects;
import org.fovea.backend.attention.AttentionBand;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.cpu.memory.CpuArray;

/** What an {@link AttentionBand} is made of, read from the arrays of a call. */
public final class CpuBands {
    private CpuBands() {}

    /** Keys of a batch row before its padding, not clamped. */
    public static int keyLength(AttentionCall<CpuArray> call, int batch) {
        CpuArray lengths = call.mask().keyLengths();
        return lengths == null ? call.shape().keys() : lengths.ints[lengths.offset + batch];
    }

    /** Of a packed batch. */
    public static List<AttentionBand> ofSequences(AttentionCall<CpuArray> call) {
        CpuArray queries = Objects.requireNonNull(call.mask().querySequences());
        CpuArray keys = Objects.requireNonNull(call.mask().keySequences());
        return AttentionBand.ofSequences(
                call.spec(),
                call.shape(),
                queries.length,
                s -> queries.ints[queries.offset + s],
                s -> keys.ints[keys.offset + s],
                keyLength(call, 0));
    }
}
