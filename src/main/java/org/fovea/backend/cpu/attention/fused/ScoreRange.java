// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.cpu.memory.CpuArray;

/**
 * The test that scores, with all that is added to them, stay in the range where float32 has digits for them. Where all that a query sees is
 * masked with a huge finite number, as the lowest of a type, their sums may overflow.
 *
 * <p>Probabilities are found as {@code 2^(S - max) / sum} and add up to 1 whatever the scores, so an error of 2^-24 |S| is all
 * that large products or distances bring, and all that any float32 arithmetic leaves of them: these are not looked for.
 */
public final class ScoreRange {
    /** Up to here a probability is right to about 2^-10, no worse than a score of that size rounded to float32. */
    private static final float LARGEST = 0x1p14f;

    /** What ALiBi may take from a score: far from any probability, and from the end of float32's range. */
    private static final float FARTHEST = 0x1p100f;

    private ScoreRange() {}

    /** Reads each element of bias, mask, slopes and sink once. */
    public static boolean isModest(AttentionCall<CpuArray> call) {
        AttentionSpec spec = call.spec();
        ScoreBias<CpuArray> bias = call.bias();
        ScoreBias<CpuArray> mask = call.mask().scores();
        CpuArray slopes = call.mask().alibiSlopes();
        CpuArray sink = call.sink();
        // A softcap leaves nothing of a huge bias but its sign.
        boolean bent = spec.softcap() != 0 && spec.softcap() <= LARGEST;
        return (sink == null || isModest(sink.floats, sink.offset, sink.length, true))
                && (bias == null
                        || bent
                        || isModest(bias.array().floats, bias.array().offset, bias.array().length, false))
                && (mask == null || isModest(mask, seesEveryKey(call)))
                && (slopes == null || isModest(call.shape(), spec, slopes));
    }

    /** Whether the penalty of no distance overflows. */
    private static boolean isModest(AttentionShape shape, AttentionSpec spec, CpuArray slopes) {
        float farthest = (float) shape.queries() + shape.keys() + spec.pastKeys();
        for (int i = slopes.offset; i < slopes.offset + slopes.length; i++) {
            if (Math.abs(slopes.floats[i]) > FARTHEST / farthest) {
                return false;
            }
        }
        return true;
    }

    /** Whether the mask alone hides keys. */
    private static boolean seesEveryKey(AttentionCall<CpuArray> call) {
        AttentionSpec spec = call.spec();
        AttentionMask<CpuArray> mask = call.mask();
        return !spec.causal()
                && spec.windowLeft() == AttentionSpec.UNLIMITED
                && spec.windowRight() == AttentionSpec.UNLIMITED
                && mask.querySegments() == null
                && mask.keyLengths() == null
                && mask.querySequences() == null;
    }

    /**
     * Huge negative numbers do no harm beside an ordinary one: their probabilities are 0. So rows are looked at one by one,
     * if nothing else may hide the ordinary one.
     */
    private static boolean isModest(ScoreBias<CpuArray> mask, boolean byRows) {
        CpuArray array = mask.array();
        if (!byRows) {
            return isModest(array.floats, array.offset, array.length, true);
        }
        int keys = mask.keys();
        int end = array.offset + array.length;
        for (int row = array.offset; row < end; row += keys) {
            float largest = Float.NEGATIVE_INFINITY;
            for (int j = row; j < row + keys; j++) {
                largest = Math.max(largest, array.floats[j]);
            }
            if (Math.abs(largest) > LARGEST && largest != Float.NEGATIVE_INFINITY) {
                return false;
            }
        }
        return true;
    }

    private static boolean isModest(float[] x, int from, int count, boolean orHidden) {
        for (int i = from; i < from + count; i++) {
            if (Math.abs(x[i]) > LARGEST && !(orHidden && x[i] == Float.NEGATIVE_INFINITY)) {
                return false;
            }
        }
        return true;
    }
}
