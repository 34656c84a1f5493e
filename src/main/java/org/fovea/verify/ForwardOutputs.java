// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.IdentityHashMap;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** Arrays that an attention's forward writes: two that the backends are compared by, and a state of each one's own. */
final class ForwardOutputs {
    private final Pair pair;
    private final Pair.Both output;
    private final Pair.Both logSumExp;
    private final IdentityHashMap<Backend, DeviceArray> states = new IdentityHashMap<>();
    private Pair.@Nullable Both guarded;

    ForwardOutputs(Pair pair, Pair.Both output, Pair.Both logSumExp) {
        this.pair = pair;
        this.output = output;
        this.logSumExp = logSumExp;
    }

    /** On one of the backends, with the state that it asks for. */
    AttentionOutputs<DeviceArray> on(Backend b, AttentionCall<DeviceArray> call) {
        AttentionOutputs<DeviceArray> outputs = new AttentionOutputs<>(output.on(b), logSumExp.on(b));
        DeviceArray state = states.get(b);
        if (state == null) {
            outputs = outputs.withState(b.attention(), call, (type, size) -> allocate(b, type, size));
            if (outputs.state() != null) {
                states.put(b, outputs.state());
            }
            return outputs;
        }
        if (guarded != null) {
            guarded.actual();
        }
        return new AttentionOutputs<>(outputs.output(), outputs.logSumExp(), state);
    }

    /** Between guards on the backend under test. */
    private DeviceArray allocate(Backend b, DType type, long size) {
        if (b != pair.tested) {
            return b.memory().allocate(type, size);
        }
        guarded = pair.output(type, size);
        return guarded.on(b);
    }
}
