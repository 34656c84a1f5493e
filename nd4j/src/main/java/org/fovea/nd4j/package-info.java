// SPDX-License-Identifier: Apache-2.0
/**
 * Attention on ND4J's arrays, with derivatives.
 *
 * <p>Start with {@link org.fovea.nd4j.FusedAttention}, one call for each derivative on the device that is there. An {@link
 * org.fovea.nd4j.AttentionEngine} is the same on a device of one's choice, and an {@link org.fovea.nd4j.AttentionPass} keeps
 * what a forward pass left on the device for its derivatives. Everything comes to one pass:
 *
 * <ol>
 *   <li>on the caller's thread {@code ArrayView}s are made of the arrays, which checks them
 *   <li>on the device's thread they are copied, or borrowed where ND4J has them on the same device ({@link
 *       org.fovea.nd4j.DeviceArrays}), and the backend computes
 * </ol>
 */
@NullMarked
package org.fovea.nd4j;

import org.jspecify.annotations.NullMarked;
