// SPDX-License-Identifier: Apache-2.0
/**
 * Layers. Each is a small class that declares its parameters when it is constructed and is then a function of tensors.
 *
 * <p>Self-attention, read from the top: positions are encoded ({@link org.fovea.nn.PositionalEncoding}, {@link
 * org.fovea.nn.RotaryEncoding}), every element goes through a learned mapping, elements are compared by similarity,
 * softmax makes weights of it, the weighted average is taken, and it is added back to the element ({@link
 * org.fovea.nn.SelfAttention}, {@link org.fovea.nn.TransformerBlock}).
 */
@NullMarked
package org.fovea.nn;

import org.jspecify.annotations.NullMarked;
