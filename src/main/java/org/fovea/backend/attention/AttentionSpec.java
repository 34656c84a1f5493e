// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.Objects;
import org.fovea.backend.math.Philox;
import org.fovea.backend.memory.DType;

/**
 * The options of an attention, all but its arrays: how queries and keys are compared, what becomes of the scores, and which
 * keys a query may see. Immutable; start from {@link #DEFAULT} and derive.
 *
 * <p>The probabilities of a query are made in this order:
 *
 * <ol>
 *   <li>{@code Z = scale similarity(q, k) + bias}
 *   <li>with a softcap c, {@code c tanh(Z / c)} in place of Z
 *   <li>plus the mask, and for ALiBi {@code - slope |position of q - position of k|}
 *   <li>keys are left out: by a mask of -infinity, causality, window, segments, sequences and lengths
 *   <li>softmax over the keys that are left and the sink, which only adds to the denominator
 *   <li>with dropout, each probability is set to 0 or divided by the probability to be kept
 * </ol>
 *
 * <p>Key j stands at position j. Query i stands at {@code pastKeys + i}, or, aligned to the bottom right, at {@code keys -
 * queries + i}, where {@code keys} is the valid length of that batch row's keys. Causal attention keeps the keys at or
 * before the query; a window keeps those from {@code left} before to {@code right} after it. In a packed batch positions
 * and lengths count within each sequence. A query that may see nothing gets output 0; with a sink all of its
 * probability is the sink's, whose score is the log-sum-exp, and without one the log-sum-exp is +infinity and every gradient 0.
 */
public final class AttentionSpec {

    /** Which corner of the score matrix the diagonal starts from. */
    public enum Alignment {
        /** Query i at position i, after any past keys. */
        TOP_LEFT,
        /** The last query at the last valid key, as in a continued sequence. */
        BOTTOM_RIGHT
    }

    /** How a query is compared with a key. */
    public enum Similarity {
        /** {@code q . k} */
        DOT,
        /** {@code q . k / (|q| |k|)}, 0 where q or k is a row of zeros */
        COSINE,
        /** {@code -|q - k|^2} */
        EUCLIDEAN
    }

    /** No limit on one side of the window. */
    public static final int UNLIMITED = -1;

    /** Dot product with scale 1/sqrt(headDim), every key visible, nothing capped or dropped. */
    public static final AttentionSpec DEFAULT = new AttentionSpec(new Values());

    private static final class Values implements Cloneable {
        private Similarity similarity = Similarity.DOT;
        private double scale = Double.NaN;
        private double softcap;
        private boolean causal;
        private int windowLeft = UNLIMITED;
        private int windowRight = UNLIMITED;
        private Alignment alignment = Alignment.TOP_LEFT;
        private int pastKeys;
        private double dropout;
        private long seed;

        @Override
        public Values clone() {
            try {
                return (Values) super.clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private final Values values;

    private AttentionSpec(Values values) {
        this.values = values;
    }

    /** The same with another measure of similarity. */
    public AttentionSpec withSimilarity(Similarity similarity) {
        Values changed = values.clone();
        changed.similarity = Objects.requireNonNull(similarity, "similarity");
        return new AttentionSpec(changed);
    }

    /** The same with the similarities multiplied by {@code scale} in place of 1/sqrt(headDim). */
    public AttentionSpec withScale(double scale) {
        if (!Double.isFinite(scale)) {
            throw new IllegalArgumentException("attention scale must be finite: " + scale);
        }
        Values changed = values.clone();
        changed.scale = scale;
        return new AttentionSpec(changed);
    }

    /** The same with scores soft-capped to stay between {@code -softcap} and {@code softcap}; 0 leaves them as they are. */
    public AttentionSpec withSoftcap(double softcap) {
        if (!(softcap >= 0) || Double.isInfinite(softcap)) {
            throw new IllegalArgumentException("attention softcap must be 0 (none) or a positive number: " + softcap);
        }
        Values changed = values.clone();
        changed.softcap = softcap;
        return new AttentionSpec(changed);
    }

    /** The same, causal, with the given alignment. */
    public AttentionSpec withCausal(Alignment alignment) {
        Values changed = values.clone();
        changed.causal = true;
        changed.alignment = Objects.requireNonNull(alignment, "alignment");
        return new AttentionSpec(changed);
    }

    /** The same with a sliding window; {@link #UNLIMITED} lifts the limit of a side. */
    public AttentionSpec withWindow(int left, int right) {
        if (left < UNLIMITED || right < UNLIMITED) {
            throw new IllegalArgumentException(
                    "attention window sides must be -1 (no limit) or more: " + left + ", " + right);
        }
        Values changed = values.clone();
        changed.windowLeft = left;
        changed.windowRight = right;
        return new AttentionSpec(changed);
    }

    /** The same with queries placed by {@code alignment}, for windows without causality. */
    public AttentionSpec withAlignment(Alignment alignment) {
        Values changed = values.clone();
        changed.alignment = Objects.requireNonNull(alignment, "alignment");
        return new AttentionSpec(changed);
    }

    /** The same with the first {@code pastKeys} keys before query 0, where queries are aligned to the top left. */
    public AttentionSpec withPastKeys(int pastKeys) {
        if (pastKeys < 0) {
            throw new IllegalArgumentException("attention can't have a negative number of past keys: " + pastKeys);
        }
        Values changed = values.clone();
        changed.pastKeys = pastKeys;
        return new AttentionSpec(changed);
    }

    /**
     * The same with each probability dropped with probability {@code dropout}. The pair of query i and key j of head h of
     * batch row b is kept if number {@code i 2^34 + j} of stream {@code b heads + h} of {@link Philox} under {@code seed} is
     * not less than {@code dropout}: the same pairs in every derivative, and on every device.
     *
     * @param dropout from 0 (nothing) to 1 (everything)
     */
    public AttentionSpec withDropout(double dropout, long seed) {
        if (!(dropout >= 0 && dropout <= 1)) {
            throw new IllegalArgumentException("attention dropout must be from 0 to 1: " + dropout);
        }
        Values changed = values.clone();
        changed.dropout = dropout;
        changed.seed = seed;
        return new AttentionSpec(changed);
    }

    /**
     * Refuses numbers that are others in the arithmetic of arrays of a type: what is finite in float64 may be infinite in
     * float32, and a softcap that is 0 there would be none.
     *
     * @throws IllegalArgumentException naming the number
     */
    public void requireFit(DType type) {
        if (type == DType.F64) {
            return;
        }
        if (Float.isInfinite((float) values.scale)) {
            throw new IllegalArgumentException("attention scale " + values.scale + " is infinite in float32");
        }
        float cap = (float) values.softcap;
        if (Float.isInfinite(cap) || cap == 0 && values.softcap != 0) {
            throw new IllegalArgumentException(
                    "attention softcap " + values.softcap + " is " + (cap == 0 ? "0" : "infinite") + " in float32");
        }
    }

    /** How a query is compared with a key. */
    public Similarity similarity() {
        return values.similarity;
    }

    /** Factor of the similarities for keys of length {@code headDim}. */
    public double scale(int headDim) {
        return Double.isNaN(values.scale) ? 1 / Math.sqrt(headDim) : values.scale;
    }

    /** What scores stay below, or 0 if they are not soft-capped. */
    public double softcap() {
        return values.softcap;
    }

    /** Whether keys after the query are hidden. */
    public boolean causal() {
        return values.causal;
    }

    /** Visible keys before the query's position, or {@link #UNLIMITED}. */
    public int windowLeft() {
        return values.windowLeft;
    }

    /** Visible keys after the query's position: 0 if causal, else the window's, or {@link #UNLIMITED}. */
    public int windowRight() {
        return values.causal ? 0 : values.windowRight;
    }

    /** How queries are placed. */
    public Alignment alignment() {
        return values.alignment;
    }

    /** Keys before query 0, where queries are aligned to the top left. */
    public int pastKeys() {
        return values.pastKeys;
    }

    /** Position of query 0 among {@code validKeys} keys. */
    public int firstQueryPosition(int queries, int validKeys) {
        return values.alignment == Alignment.BOTTOM_RIGHT ? validKeys - queries : values.pastKeys;
    }

    /** Probability that a pair of query and key is dropped. */
    public double dropout() {
        return values.dropout;
    }

    /** Decides, with the pair's place, which pairs are dropped. */
    public long seed() {
        return values.seed;
    }

    /** What a probability is multiplied by: 0, or the inverse of the probability to be kept. */
    public double dropoutFactor(int headOfBatch, int query, int key) {
        if (values.dropout == 0) {
            return 1;
        }
        return dropoutFactor(Philox.uniform(values.seed, headOfBatch, ((long) query << 34) + key));
    }

    /** The same for the pair whose number of {@link Philox} is {@code number}. */
    public double dropoutFactor(float number) {
        return number < (float) values.dropout || values.dropout == 1 ? 0 : 1 / (1 - values.dropout);
    }

    @Override
    public String toString() {
        Values v = values;
        StringBuilder text = new StringBuilder("AttentionSpec[scale=")
                .append(Double.isNaN(v.scale) ? "1/sqrt(d)" : v.scale)
                .append(", causal=")
                .append(v.causal)
                .append(", window=")
                .append(v.windowLeft)
                .append(',')
                .append(v.windowRight)
                .append(", ")
                .append(v.alignment);
        if (v.similarity != Similarity.DOT) {
            text.append(", similarity=").append(v.similarity);
        }
        if (v.softcap != 0) {
            text.append(", softcap=").append(v.softcap);
        }
        if (v.pastKeys != 0) {
            text.append(", pastKeys=").append(v.pastKeys);
        }
        if (v.dropout != 0) {
            text.append(", dropout=").append(v.dropout).append(", seed=").append(v.seed);
        }
        return text.append(']').toString();
    }
}
