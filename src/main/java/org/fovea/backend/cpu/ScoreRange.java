package org.fovea.backend.cpu;

import org.fovea.backend.AttentionSpec;

/**
 * Whether what is added to scores leaves every query's log-sum-exp in the range where float32 has digits for it. The
 * float32 kernels find probabilities as {@code 2^(S - LSE)}: where all that a query sees is masked with a huge finite
 * number, as the lowest of a type, S overflows in units of log2, or LSE = max + log n has no digits left for log n.
 */
final class ScoreRange {
    /** Up to here a probability is right to about 2^-10, no worse than a score of that size rounded to float32. */
    private static final float LARGEST = 0x1p14f;

    private ScoreRange() {}

    /** Reads each element of bias, mask and sink once. */
    static boolean isModest(AttentionSpec spec, AttentionArrays in) {
        ScoreReader bias = in.bias();
        ScoreReader mask = in.mask();
        CpuArray sink = in.sink();
        if (sink != null && !isModest(sink.floats, sink.offset, sink.length, true)
                || bias != null && !isModest(bias.array().floats, bias.array().offset, bias.array().length, false)) {
            return false;
        }
        return mask == null || isModest(mask, seesEveryKey(spec, in));
    }

    /** Whether the mask alone hides keys. */
    private static boolean seesEveryKey(AttentionSpec spec, AttentionArrays in) {
        return !spec.causal()
                && spec.windowLeft() == AttentionSpec.UNLIMITED
                && spec.windowRight() == AttentionSpec.UNLIMITED
                && in.querySegments() == null
                && in.keyLengths() == null
                && in.querySequences() == null;
    }

    /**
     * Huge negative numbers do no harm beside an ordinary one: their probabilities are 0. So rows are looked at one by one,
     * if nothing else may hide the ordinary one.
     */
    private static boolean isModest(ScoreReader mask, boolean byRows) {
        CpuArray array = mask.array();
        if (!byRows) {
            return isModest(array.floats, array.offset, array.length, true);
        }
        int keys = mask.extents().keys();
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
