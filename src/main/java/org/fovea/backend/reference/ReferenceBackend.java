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
import org.fovea.backend.memory.DeviceArray;
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

    private final EagerSteps steps = new EagerSteps();
    private final ReferenceMemory memory;
    private final MathOps math;
    private final ReferenceAttention attention;
    private final RlOps rl;

    /** A device of its own. */
    public ReferenceBackend() {
        memory = new ReferenceMemory(name(), DType.F64, steps);
        math = new ReferenceMath(memory);
        attention = new ReferenceAttention(memory);
        rl = new ReferenceRl(memory);
    }

    /**
     * Runs {@code operations}, and bounds how far rounding may put off each result of attention that is computed by the
     * textbook: in units of rounding of the arithmetic, but for functions to first order. The bounds are those of {@link
     * #errors}.
     *
     * @param storage type of query, key, value, output, probabilities and gradients of scores, where they are factors
     * @param factors what the factors of each product are off by together, in units of rounding of the arithmetic
     * @param ofTangents whether nothing is rounded but tangents of scores: the bounds then say what comes of these, as
     *     scores may be so large that what a row's have in common cancels but for its rounding
     */
    public void boundingErrors(DType storage, double factors, boolean ofTangents, Runnable operations) {
        attention.numbers = new Series.Arithmetic(SeriesRing.NUMBERS, storage, factors, ofTangents);
        try {
            operations.run();
        } finally {
            attention.numbers = Series.Arithmetic.EXACT;
        }
    }

    /** Bounds of the errors of an array that attention wrote within {@link #boundingErrors}. */
    public double[] errors(DeviceArray array) {
        return memory.use(array).errors();
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
        return "reference";
    }

    @Override
    public String description() {
        return "float64 reference, one thread, plain loops";
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
