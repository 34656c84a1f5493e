// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.EagerSteps;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.RlOps;

/**
 * The definition of every operation of a backend: naive loops in float64. Every backend is compared with it, and
 * gradients are checked on it, where finite differences have digits to spare.
 *
 * <p>Freed memory is filled with NaN, so that a use after the end, or of an element that was never written, shows.
 */
public final class ReferenceBackend implements Backend {
    private static final int MAX_SHARDS = 8;

    private final String name;
    private final String description;
    private final EagerSteps steps = new EagerSteps();
    private final ReferenceMemory memory;
    private final MathOps math;
    private final AttentionOps attention;
    private final RlOps rl;

    /** A device of its own. */
    public ReferenceBackend() {
        this("reference", "float64 reference, one thread, plain loops", new Series.Arithmetic(SeriesRing.NUMBERS, null));
    }

    /** @param numbers of attention; if they are rounded, it gives bounds of errors in place of results */
    private ReferenceBackend(String name, String description, Series.Arithmetic numbers) {
        this.name = name;
        this.description = description;
        memory = new ReferenceMemory(name, DType.F64, steps);
        math = new ReferenceMath(memory);
        attention = new ReferenceAttention(memory, numbers);
        rl = new ReferenceRl(memory);
    }

    /**
     * How far rounding may put off an attention that is computed by the textbook: every result of an attention is a bound of
     * the result's error, in units of rounding of the arithmetic, but for functions to first order.
     *
     * @param storage type of query, key, value, output, probabilities and gradients of scores, where they are factors
     * @param factors what the factors of each product are off by together, in units of rounding of the arithmetic
     * @param exact from which size on scores are not rounded, so that probabilities and their sums are right however large
     *     scores are; infinity if all are rounded
     */
    public static ReferenceBackend ofRoundingErrors(DType storage, double factors, double exact) {
        return new ReferenceBackend(
                "rounding",
                "bounds of rounding errors, by float64 reference",
                new Series.Arithmetic(SeriesRing.NUMBERS, storage, factors, exact));
    }

    @Override
    public Memory memory() {
        return memory;
    }

    @Override
    public MathOps math() {
        return math;
    }

    @Override
    public AttentionOps attention() {
        return attention;
    }

    @Override
    public RlOps rl() {
        return rl;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public int shards(int units) {
        return Math.min(units, MAX_SHARDS);
    }

    @Override
    public void forEachShard(int count, IntConsumer body) {
        memory.requireOpen();
        RuntimeException first = null;
        for (int shard = 0; shard < count; shard++) {
            try {
                body.accept(shard);
            } catch (RuntimeException e) {
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }

    @Override
    public CapturedStep capture(Runnable body) {
        memory.requireOpen();
        return steps.capture(body);
    }

    @Override
    public void synchronize() {
        memory.requireOpen();
        steps.refuse("synchronize");
    }

    @Override
    public void close() {
        memory.close();
    }
}
