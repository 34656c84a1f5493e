// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.attention.Attention;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.tensor.Tensor;

/** Is told of an attention once it was computed, so that its {@linkplain Attention#weights weights} can be looked at. */
@FunctionalInterface
public interface AttentionListener {
    /** One that looks at nothing. */
    AttentionListener NONE = (call, result) -> {};

    /** Called while the tape of the call is open. */
    void attended(AttentionCall<Tensor> call, Attention.Result result);
}
