// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.io.TensorInfo;

/** The scores of some queries, computed for a few of them at a time: the whole may be larger than the device. */
record WeightsResult(
        TensorInfo info,
        Backend backend,
        AttentionCall<DeviceArray> call,
        AttentionOutputs<DeviceArray> outputs,
        ScoreStage stage,
        int first)
        implements Result {
    private static final long SCORES_AT_A_TIME = 1L << 24;

    @Override
    public void writeTo(Sink sink) throws IOException {
        AttentionShape shape = call.shape();
        long heads = (long) shape.batch() * shape.heads();
        long keys = shape.keys();
        if (info.elements() == 0) {
            return;
        }
        int queries = (int) info.extent(2);
        int step = (int) Math.max(1, Math.min(queries, SCORES_AT_A_TIME / (heads * keys)));
        for (int query = 0; query < queries; query += step) {
            int count = Math.min(step, queries - query);
            try (Scope scope = backend.memory().openScope()) {
                DeviceArray scores = scope.allocate(outputs.logSumExp().dtype(), heads * count * keys);
                backend.attention().weights(call, outputs, stage, first + query, scores);
                for (long head = 0; head < heads; head++) {
                    Numbers rows = new ArrayNumbers(backend.memory(), scores.slice(head * count * keys, count * keys));
                    long start = (head * queries + query) * keys;
                    Result.of(TensorInfo.of(info.type(), rows.length()), rows)
                            .writeTo((offset, numbers, size) -> sink.accept(start + offset, numbers, size));
                }
            }
        }
    }
}
