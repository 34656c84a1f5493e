// SPDX-License-Identifier: Apache-2.0
/**
 * Tensors and reverse-mode differentiation. Every backward is made of differentiable operations, so that a gradient can
 * be differentiated again, to any order.
 */
@NullMarked
package org.fovea.tensor;

import org.jspecify.annotations.NullMarked;
