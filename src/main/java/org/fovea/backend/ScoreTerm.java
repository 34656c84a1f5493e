package org.fovea.backend;

/**
 * Something added to every score of an attention, [batch, heads, queries, keys] in row-major order; an axis may have length
 * 1 and then holds for all.
 *
 * @param array of {@link Memory#floatType()}, or {@link DType#F64} where the query is
 */
public record ScoreTerm(DeviceArray array, int batch, int heads, int queries, int keys) {

    /** Elements of the array. */
    public long size() {
        return (long) batch * heads * queries * keys;
    }

    /** From a row of the batch to the next, 0 if there is but one for all. */
    public long batchStride() {
        return batch == 1 ? 0 : (long) heads * queries * keys;
    }

    /** From a head to the next, 0 if there is but one for all. */
    public long headStride() {
        return heads == 1 ? 0 : (long) queries * keys;
    }

    /** From a query to the next, 0 if there is but one for all. */
    public long queryStride() {
        return queries == 1 ? 0 : keys;
    }

    /** From a key to the next, 0 if there is but one for all. */
    public int keyStride() {
        return keys == 1 ? 0 : 1;
    }

    void check(String name, AttentionShape shape) {
        boolean fits = (batch == 1 || batch == shape.batch())
                && (heads == 1 || heads == shape.heads())
                && (queries == 1 || queries == shape.queries())
                && (keys == 1 || keys == shape.keys());
        if (!fits || array.length() != size()) {
            throw new ShapeException(
                    "attention",
                    name + " is [" + batch + ", " + heads + ", " + queries + ", " + keys + "] of " + array.length()
                            + " elements, expected extents that are 1 or those of " + shape);
        }
    }
}
