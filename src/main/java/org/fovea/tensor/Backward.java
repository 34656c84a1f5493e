// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

/**
 * The backward of one operation: takes the gradients of its outputs and adds what follows to those of its inputs. Made
 * of tensor operations, it can be differentiated in turn.
 */
@FunctionalInterface
public interface Backward {

    /** Called when at least one output has a gradient. */
    void propagate(Gradients gradients);
}
