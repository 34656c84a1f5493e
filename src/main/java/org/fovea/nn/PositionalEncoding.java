// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.backend.memory.ShapeException;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/** Tells elements of a sequence apart by adding a vector for each position. */
@FunctionalInterface
public interface PositionalEncoding {

    /** Adds the encodings of positions 0, 1, ...; sequence [..., positions, width]. */
    Tensor addTo(Tensor sequence);

    /**
     * Sines and cosines (Vaswani et al. 2017, arXiv:1706.03762): elements {@code 2i, 2i+1} are sin and cos of {@code
     * position 10000^(-2i/width)}. Width must be even.
     */
    static PositionalEncoding sinusoidal(int positions, int width) {
        return fixed(SinusoidalTables.line(positions, width), positions, width);
    }

    /**
     * The same for the cells of a grid, row by row: the first half of a vector encodes the row, the second the column.
     * Width must be a multiple of 4.
     */
    static PositionalEncoding grid(int rows, int columns, int width) {
        return fixed(SinusoidalTables.grid(rows, columns, width), rows * columns, width);
    }

    /** A learned vector for each position, at first normal with standard deviation 0.02; parameter {@code name.table}. */
    static PositionalEncoding learned(Parameters parameters, String name, int positions, int width) {
        Parameter table = parameters.declare(name + ".table", Initializer.normal(0.02), positions, width);
        return sequence -> add(sequence, sequence.tape().use(table));
    }

    private static PositionalEncoding fixed(double[] table, int positions, int width) {
        return sequence -> add(sequence, sequence.tape().constant(table, positions, width));
    }

    private static Tensor add(Tensor sequence, Tensor table) {
        if (sequence.rank() < 2 || sequence.size(-2) > table.size(0) || sequence.size(-1) != table.size(1)) {
            throw new ShapeException("positional encoding", "of " + table + " does not cover " + sequence);
        }
        return sequence.add(table.slice(0, 0, sequence.size(-2)));
    }
}
