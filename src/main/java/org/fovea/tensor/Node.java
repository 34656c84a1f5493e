// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

/** A recorded operation. */
record Node(Tensor[] inputs, Tensor[] outputs, Backward backward) {}
