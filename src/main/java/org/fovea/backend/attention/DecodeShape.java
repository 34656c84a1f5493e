// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

/**
 * Extents of one decoding step: one new query per batch row against that row's ring buffer of keys and values.
 *
 * @param capacity slots of the ring buffer
 */
public record DecodeShape(int batch, int heads, int capacity, int headDim, int valueDim) {}
