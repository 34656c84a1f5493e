// SPDX-License-Identifier: Apache-2.0
/**
 * A layer for DL4J's networks: {@link org.fovea.nd4j.dl4j.FoveaAttentionLayer} in place of {@code SelfAttentionLayer} and {@code
 * LearnedSelfAttentionLayer}, with the same parameters and the same results; and {@link
 * org.fovea.nd4j.dl4j.SameDiffAttention} for graphs of SameDiff.
 */
@NullMarked
package org.fovea.nd4j.dl4j;

import org.jspecify.annotations.NullMarked;
