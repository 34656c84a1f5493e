// SPDX-License-Identifier: Apache-2.0
/** Softmax attention as a differentiable operation on tensors. */
@NullMarked
package org.fovea.attention;

import org.jspecify.annotations.NullMarked;
