package org.fovea.nn;

import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * A learned bias for each distance of query and key and each head (Shaw et al. 2018, arXiv:1803.02155; added to the scores as
 * in T5, Raffel et al. 2020). All distances beyond the reach share one.
 *
 * <p>The bias is a tensor with an element for each pair of query and key; {@link org.fovea.attention.AttentionMask#withAlibi}
 * needs no such memory.
 */
public final class RelativePositionBias {
    private final Parameter table;
    private final int heads;
    private final int reach;

    /** Biases of 0 for distances {@code -reach .. reach}; parameter {@code name.table}, [2 reach + 1, heads]. */
    public RelativePositionBias(Parameters parameters, String name, int heads, int reach) {
        if (reach < 0) {
            throw new IllegalArgumentException("relative position bias " + name + " can't reach " + reach);
        }
        this.heads = heads;
        this.reach = reach;
        this.table = parameters.declare(name + ".table", Initializer.zeros(), 2 * reach + 1, heads);
    }

    /**
     * The bias of queries at positions {@code firstQuery, ...} for keys at {@code 0, ...}.
     *
     * @return [1, heads, queries, keys]
     */
    public Tensor apply(Tape tape, int firstQuery, int queries, int keys) {
        int[] rows = new int[queries * keys];
        for (int i = 0; i < queries; i++) {
            for (int j = 0; j < keys; j++) {
                int distance = j - (firstQuery + i);
                rows[i * keys + j] = reach + Math.max(-reach, Math.min(distance, reach));
            }
        }
        Tensor perPair = tape.use(table).gatherRows(tape.constantInts(rows, queries, keys));
        return perPair.transpose(2, 0, 1).reshape(1, heads, queries, keys);
    }
}
