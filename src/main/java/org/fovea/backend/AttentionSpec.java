package org.fovea.backend;

/**
 * What is asked of an attention beside its inputs: the scale and which keys a query may see. Immutable; start from
 * {@link #DEFAULT} and derive.
 *
 * <p>Key j stands at position j. Query i stands at i, or, aligned to the bottom right, at {@code keys - queries + i},
 * where {@code keys} is the valid length of that batch row's keys. Causal attention keeps the keys at or before the
 * query; a window keeps those from {@code left} before to {@code right} after it. A query that may see nothing gets
 * output 0, log-sum-exp +infinity and gradient 0.
 */
public final class AttentionSpec {

    /** Which corner of the score matrix the diagonal starts from. */
    public enum Alignment {
        /** Query i at position i. */
        TOP_LEFT,
        /** The last query at the last valid key, as in a continued sequence. */
        BOTTOM_RIGHT
    }

    /** No limit on one side of the window. */
    public static final int UNLIMITED = -1;

    /** Scale 1/sqrt(headDim), every key visible. */
    public static final AttentionSpec DEFAULT =
            new AttentionSpec(Float.NaN, false, UNLIMITED, UNLIMITED, Alignment.TOP_LEFT);

    private final float scale;
    private final boolean causal;
    private final int windowLeft;
    private final int windowRight;
    private final Alignment alignment;

    private AttentionSpec(float scale, boolean causal, int windowLeft, int windowRight, Alignment alignment) {
        this.scale = scale;
        this.causal = causal;
        this.windowLeft = windowLeft;
        this.windowRight = windowRight;
        this.alignment = alignment;
    }

    /** The same with the scores multiplied by {@code newScale} in place of 1/sqrt(headDim). */
    public AttentionSpec withScale(float newScale) {
        if (!Float.isFinite(newScale)) {
            throw new IllegalArgumentException("attention scale must be finite: " + newScale);
        }
        return new AttentionSpec(newScale, causal, windowLeft, windowRight, alignment);
    }

    /** The same, causal, with the given alignment. */
    public AttentionSpec withCausal(Alignment newAlignment) {
        return new AttentionSpec(scale, true, windowLeft, windowRight, newAlignment);
    }

    /** The same with a sliding window; {@link #UNLIMITED} lifts the limit of a side. */
    public AttentionSpec withWindow(int left, int right) {
        if (left < UNLIMITED || right < UNLIMITED) {
            throw new IllegalArgumentException(
                    "attention window sides must be -1 (no limit) or more: " + left + ", " + right);
        }
        return new AttentionSpec(scale, causal, left, right, alignment);
    }

    /** The same with queries placed by {@code newAlignment}, for windows without causality. */
    public AttentionSpec withAlignment(Alignment newAlignment) {
        return new AttentionSpec(scale, causal, windowLeft, windowRight, newAlignment);
    }

    /** Factor of the scores for keys of length {@code headDim}. */
    public float scale(int headDim) {
        return Float.isNaN(scale) ? (float) (1 / Math.sqrt(headDim)) : scale;
    }

    /** Whether keys after the query are hidden. */
    public boolean causal() {
        return causal;
    }

    /** Visible keys before the query's position, or {@link #UNLIMITED}. */
    public int windowLeft() {
        return windowLeft;
    }

    /** Visible keys after the query's position: 0 if causal, else the window's, or {@link #UNLIMITED}. */
    public int windowRight() {
        return causal ? 0 : windowRight;
    }

    /** Position of query 0 among {@code validKeys} keys. */
    public int firstQueryPosition(int queries, int validKeys) {
        return alignment == Alignment.BOTTOM_RIGHT ? validKeys - queries : 0;
    }

    /** How queries are placed. */
    public Alignment alignment() {
        return alignment;
    }

    @Override
    public String toString() {
        return "AttentionSpec[scale=" + (Float.isNaN(scale) ? "1/sqrt(d)" : scale) + ", causal=" + causal + ", window="
                + windowLeft + "," + windowRight + ", " + alignment + "]";
    }
}
