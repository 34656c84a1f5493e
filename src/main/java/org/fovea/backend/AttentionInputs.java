package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/**
 * The arrays an attention reads, in the layout of its {@link AttentionShape}.
 *
 * @param querySegments I32 [batch, queries] or null: a query sees only keys of its own segment (episode)
 * @param keySegments I32 [batch, keys]; given if and only if querySegments is
 * @param keyLengths I32 [batch] or null: the keys from this one on are padding. Values outside [0, keys] are clamped
 */
public record AttentionInputs(
        DeviceArray query,
        DeviceArray key,
        DeviceArray value,
        @Nullable DeviceArray querySegments,
        @Nullable DeviceArray keySegments,
        @Nullable DeviceArray keyLengths) {

    /** Checks that segments come as a pair. */
    public AttentionInputs {
        if ((querySegments == null) != (keySegments == null)) {
            throw new IllegalArgumentException("attention needs both querySegments and keySegments, or neither");
        }
    }

    /** Inputs with nothing masked. */
    public static AttentionInputs of(DeviceArray query, DeviceArray key, DeviceArray value) {
        return new AttentionInputs(query, key, value, null, null, null);
    }

    /**
     * Checks every length against {@code shape}, and that query, key and value are of one floating type.
     *
     * @throws ShapeException naming the array that does not fit
     * @throws IllegalArgumentException naming the array of another type
     */
    public void check(AttentionShape shape) {
        Shapes.floating("attention", "query", query);
        checkType("attention", "key", key);
        checkType("attention", "value", value);
        check("query", query, shape.querySize(), shape);
        check("key", key, shape.keySize(), shape);
        check("value", value, shape.valueSize(), shape);
        check("querySegments", querySegments, (long) shape.batch() * shape.queries(), shape);
        check("keySegments", keySegments, (long) shape.batch() * shape.keys(), shape);
        check("keyLengths", keyLengths, shape.batch(), shape);
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
