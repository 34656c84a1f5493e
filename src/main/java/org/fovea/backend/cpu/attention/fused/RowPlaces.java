// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionShape;

/**
 * Which head the rows of an array belong to.
 *
 * @param heads of a batch row
 * @param rows of a head
 * @param group heads that share a key head
 */
record RowPlaces(AttentionShape.Layout layout, int heads, int rows, int group) {

    static RowPlaces ofQueries(AttentionShape shape) {
        return new RowPlaces(shape.layout(), shape.heads(), shape.queries(), shape.group());
    }

    static RowPlaces ofKeys(AttentionShape shape) {
        return new RowPlaces(shape.layout(), shape.keyHeads(), shape.keys(), 1);
    }

    /** The key head of an array's row, counted through the batch. */
    int keyHead(int row) {
        return layout == AttentionShape.Layout.BHND
                ? row / rows / group
                : row / (rows * heads) * (heads / group) + row % heads / group;
    }

    /** The array's row of row {@code i} of a head, counted through the batch. */
    int row(int head, int i) {
        return layout == AttentionShape.Layout.BHND
                ? head * rows + i
                : (head / heads * rows + i) * heads + head % heads;
    }
}
