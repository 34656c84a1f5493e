package org.fovea.backend.attention;

import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/**
 * The arrays an attention reads, query, key and value in the layout of its {@link AttentionShape}.
 *
 * @param bias added to the scaled similarities, or null; attention is differentiated by it. It may be by relative position
 * @param sink [heads] or null: a score that has a part of each query's probability and no value. Neither scaled nor capped
 * @param mask added to the scores after the softcap, or null; -infinity hides a key
 * @param alibiSlopes [heads] or null: each score is lessened by the slope times the distance of query and key
 * @param querySegments I32 [batch, queries] or null: a query sees only keys of its own segment (episode)
 * @param keySegments I32 [batch, keys]; given if and only if querySegments is
 * @param keyLengths I32 [batch] or null: the keys from this one on are padding. Values outside [0, keys] are clamped
 * @param querySequences I32 [sequences + 1] or null: where each sequence of a packed batch starts, and the last one ends, in
 *     ascending order; batch must be 1. A query sees only keys of its own sequence
 * @param keySequences likewise for keys; given if and only if querySequences is
 */
public record AttentionInputs(
        DeviceArray query,
        DeviceArray key,
        DeviceArray value,
        @Nullable ScoreBias bias,
        @Nullable DeviceArray sink,
        @Nullable ScoreBias mask,
        @Nullable DeviceArray alibiSlopes,
        @Nullable DeviceArray querySegments,
        @Nullable DeviceArray keySegments,
        @Nullable DeviceArray keyLengths,
        @Nullable DeviceArray querySequences,
        @Nullable DeviceArray keySequences) {

    /** Checks that segments and sequences come in pairs. */
    public AttentionInputs {
        if ((querySegments == null) != (keySegments == null)) {
            throw new IllegalArgumentException("attention needs both querySegments and keySegments, or neither");
        }
        if ((querySequences == null) != (keySequences == null)) {
            throw new IllegalArgumentException("attention needs both querySequences and keySequences, or neither");
        }
    }

    /** Inputs of which keys are hidden by segments and lengths, if at all. */
    public AttentionInputs(
            DeviceArray query,
            DeviceArray key,
            DeviceArray value,
            @Nullable DeviceArray querySegments,
            @Nullable DeviceArray keySegments,
            @Nullable DeviceArray keyLengths) {
        this(query, key, value, null, null, null, null, querySegments, keySegments, keyLengths, null, null);
    }

    /** Inputs with nothing masked. */
    public static AttentionInputs of(DeviceArray query, DeviceArray key, DeviceArray value) {
        return new AttentionInputs(query, key, value, null, null, null);
    }

    /** Sequences of a packed batch, or 0 if it is not packed. */
    public int sequences() {
        return querySequences == null ? 0 : (int) querySequences.length() - 1;
    }

    /** Whether there is nothing but query, key and value, and what hides keys by segment and length. */
    public boolean isPlain() {
        return bias == null && sink == null && mask == null && alibiSlopes == null && querySequences == null;
    }

    /**
     * Checks every length against {@code shape}, and that query, key and value are of one floating type.
     *
     * @throws ShapeException naming the array that does not fit
     * @throws IllegalArgumentException naming the array of another type
     */
    public void check(AttentionShape shape) {
        OperandChecks.floating("attention", "query", query);
        checkType("attention", "key", key);
        checkType("attention", "value", value);
        check("query", query, shape.querySize(), shape);
        check("key", key, shape.keySize(), shape);
        check("value", value, shape.valueSize(), shape);
        if (bias != null) {
            bias.check("bias", shape);
        }
        if (mask != null) {
            mask.check("mask", shape);
            if (mask.isRelative()) {
                throw new IllegalArgumentException(
                        "attention takes a bias by relative position, but a mask only by query and"
                                + " key; to hide keys by relative position, use a window");
            }
        }
        check("sink", sink, shape.heads(), shape);
        check("alibiSlopes", alibiSlopes, shape.heads(), shape);
        check("querySegments", querySegments, (long) shape.batch() * shape.queries(), shape);
        check("keySegments", keySegments, (long) shape.batch() * shape.keys(), shape);
        check("keyLengths", keyLengths, shape.batch(), shape);
        if (querySequences != null && keySequences != null) {
            if (shape.batch() != 1) {
                throw new ShapeException("attention", "a packed batch must have batch 1: " + shape);
            }
            if (querySequences.length() == 0 || keySequences.length() != querySequences.length()) {
                throw new ShapeException(
                        "attention",
                        "querySequences has " + querySequences.length() + " elements and keySequences "
                                + keySequences.length() + ", expected one more than there are sequences in both");
            }
        }
    }

    /** Requires the type of the query. */
    void checkType(String operation, String name, DeviceArray array) {
        if (array.dtype() != query.dtype()) {
            throw new IllegalArgumentException(operation + ": " + name + " is " + array.dtype() + " but query is "
                    + query.dtype() + "; query, key, value, output and their gradients must be of one type");
        }
    }

    private static void check(String name, @Nullable DeviceArray array, long expected, AttentionShape shape) {
        if (array != null && array.length() != expected) {
            throw new ShapeException(
                    "attention", name + " has " + array.length() + " elements, expected " + expected + " for " + shape);
        }
    }
}
