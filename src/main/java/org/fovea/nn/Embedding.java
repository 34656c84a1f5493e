// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/** A learned vector for each of a number of symbols. */
public final class Embedding {
    private final Parameter table;

    /** Vectors of {@code width} for symbols {@code 0 .. symbols - 1}; parameter {@code name.table}. */
    public Embedding(Parameters parameters, String name, int symbols, int width, Initializer initializer) {
        this.table = parameters.declare(name + ".table", initializer, symbols, width);
    }

    /** I32 of any shape to the same with an axis of {@code width} behind. */
    public Tensor apply(Tensor symbols) {
        return symbols.tape().use(table).gatherRows(symbols);
    }
}
