package org.fovea.backend.cpu.attention.series;

import java.util.BitSet;
import java.util.List;
import java.util.function.Function;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** The planes of each part of the arguments or of the results of an attention; null where there is none. */
record SeriesArrays(
        CpuArray[] query,
        CpuArray[] key,
        CpuArray[] value,
        CpuArray[] bias,
        CpuArray[] sink,
        CpuArray[] output,
        CpuArray[] logSumExp) {

    static SeriesArrays of(List<AttentionPlane> planes, Function<DeviceArray, CpuArray> use) {
        return new SeriesArrays(
                part(planes, AttentionPlane::query, use),
                part(planes, AttentionPlane::key, use),
                part(planes, AttentionPlane::value, use),
                part(planes, AttentionPlane::bias, use),
                part(planes, AttentionPlane::sink, use),
                part(planes, AttentionPlane::output, use),
                part(planes, AttentionPlane::logSumExp, use));
    }

    /** The same with the inputs themselves as plane 0. */
    SeriesArrays at(AttentionInputs in, Function<DeviceArray, CpuArray> use) {
        query[0] = use.apply(in.query());
        key[0] = use.apply(in.key());
        value[0] = use.apply(in.value());
        ScoreBias term = in.bias();
        bias[0] = term == null ? null : use.apply(term.array());
        DeviceArray logit = in.sink();
        sink[0] = logit == null ? null : use.apply(logit);
        return this;
    }

    @SuppressWarnings("NullAway") // elements may be null
    private static CpuArray[] part(
            List<AttentionPlane> planes,
            Function<AttentionPlane, @Nullable DeviceArray> get,
            Function<DeviceArray, CpuArray> use) {
        CpuArray[] part = new CpuArray[planes.size()];
        for (int p = 0; p < part.length; p++) {
            DeviceArray array = get.apply(planes.get(p));
            part[p] = array == null ? null : use.apply(array);
        }
        return part;
    }

    /** The planes that are there. */
    static BitSet present(CpuArray[] part) {
        BitSet present = new BitSet(part.length);
        for (int p = 0; p < part.length; p++) {
            present.set(p, part[p] != null);
        }
        return present;
    }

    /** Whether a gradient is among them. */
    boolean hasGradients() {
        for (CpuArray[] part : List.of(query, key, value, bias, sink)) {
            if (!present(part).isEmpty()) {
                return true;
            }
        }
        return false;
    }
}
