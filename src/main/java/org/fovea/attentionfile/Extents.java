// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.io.TensorInfo;
import org.jspecify.annotations.Nullable;

/** The extents of a request, as its tensors tell them one after the other. */
final class Extents {
    private final Map<Axis, Long> known = new EnumMap<>(Axis.class);

    /** Learns the extents of a tensor that has all of its axes, or refuses it. */
    void fit(TensorRule rule, TensorInfo tensor) {
        if (tensor.rank() != rule.axes().size()) {
            throw misfit(rule, tensor);
        }
        for (int i = 0; i < tensor.rank(); i++) {
            Axis axis = rule.axes().get(i);
            Long wanted = known(axis);
            if (wanted != null && wanted != tensor.extent(i)) {
                throw misfit(rule, tensor);
            }
            if (tensor.extent(i) > Integer.MAX_VALUE) {
                throw new InvalidRequestException(
                        "tensor '" + rule.name() + "' is " + tensor + ": an extent is above " + Integer.MAX_VALUE);
            }
        }
        for (int i = 0; i < tensor.rank(); i++) {
            known.putIfAbsent(rule.axes().get(i), tensor.extent(i));
        }
    }

    /** Refuses a tensor that can't be stretched to its axes. */
    void fitBroadcast(TensorRule rule, TensorInfo tensor) {
        int omitted = rule.axes().size() - tensor.rank();
        if (omitted < 0) {
            throw misfit(rule, tensor);
        }
        for (int i = 0; i < tensor.rank(); i++) {
            if (tensor.extent(i) != 1 && tensor.extent(i) != get(rule.axes().get(omitted + i))) {
                throw misfit(rule, tensor);
            }
        }
    }

    private InvalidRequestException misfit(TensorRule rule, TensorInfo tensor) {
        List<Axis> axes = rule.axes();
        String values = axes.stream()
                .map(axis -> known(axis) == null ? "any" : String.valueOf(known(axis)))
                .collect(Collectors.joining(", ", "[", "]"));
        return new InvalidRequestException("tensor '" + rule.name() + "' is " + tensor + ", but should be " + axes
                + " = " + values + (rule.broadcasts() ? ", where any extent may be 1" + forBatchRows(tensor) : ""));
    }

    /** What is likely to be meant by two or three extents of which the first is B. */
    private String forBatchRows(TensorInfo tensor) {
        boolean isLikely = (tensor.rank() == 2 || tensor.rank() == 3) && tensor.extent(0) == get(Axis.BATCH);
        return isLikely ? "; for one of each batch row give " + withBatch(tensor) : "";
    }

    /** The shape with four extents of a tensor whose first is for batch rows. */
    private static String withBatch(TensorInfo tensor) {
        List<Long> extents = new ArrayList<>(Collections.nCopies(4, 1L));
        extents.set(0, tensor.extent(0));
        for (int i = 1; i < tensor.rank(); i++) {
            extents.set(4 - tensor.rank() + i, tensor.extent(i));
        }
        return extents.toString();
    }

    /**
     * What else a tensor that is added to the scores could be, where its first extent is that of batch rows too: shapes are
     * aligned at their ends, so two extents are queries and keys, three are heads, queries and keys.
     */
    static Optional<String> otherReading(String name, TensorInfo tensor, AttentionShape shape) {
        int batch = shape.batch();
        boolean ofQueries = tensor.rank() == 2 && batch == shape.queries();
        boolean ofHeads = tensor.rank() == 3 && batch == shape.heads();
        if (batch < 2 || !(ofQueries || ofHeads) || tensor.extent(0) != batch) {
            return Optional.empty();
        }
        List<Long> asRead = new ArrayList<>(Collections.nCopies(4 - tensor.rank(), 1L));
        for (int i = 0; i < tensor.rank(); i++) {
            asRead.add(tensor.extent(i));
        }
        Axis axis = ofQueries ? Axis.QUERIES : Axis.HEADS;
        return Optional.of("tensor '" + name + "' is " + tensor + ", of which the first extent is read as " + axis
                + ", but B is " + batch + " too; for one of each batch row give " + withBatch(tensor) + ", or " + asRead
                + " for what was read");
    }

    private @Nullable Long known(Axis axis) {
        if (axis == Axis.ALL_KEYS) {
            return known.containsKey(Axis.KEYS) ? (Long) get(axis) : null;
        }
        return known.get(axis);
    }

    /** One extent, which must be known; without a past it is 0. */
    long get(Axis axis) {
        if (axis == Axis.ALL_KEYS) {
            return get(Axis.PAST) + get(Axis.KEYS);
        }
        if (axis == Axis.PAST) {
            return known.getOrDefault(axis, 0L);
        }
        Long extent = known.get(axis);
        if (extent == null) {
            throw new IllegalStateException("no tensor has told " + axis);
        }
        return extent;
    }

    /** One extent. */
    int count(Axis axis) {
        return Math.toIntExact(get(axis));
    }

    /** The shape of the attention, with past keys. */
    AttentionShape shape() {
        requireHeadDim("q", Axis.HEAD_DIM);
        requireHeadDim("v", Axis.VALUE_DIM);
        long heads = get(Axis.HEADS);
        long keyHeads = get(Axis.KEY_HEADS);
        if (keyHeads == 0 ? heads != 0 : heads % keyHeads != 0) {
            throw new InvalidRequestException("the " + heads + " heads of tensor 'q' can't share the " + keyHeads
                    + " of tensor 'k' evenly: H must be a multiple of Hk");
        }
        if (get(Axis.ALL_KEYS) > Integer.MAX_VALUE) {
            throw new InvalidRequestException("tensors 'past_k' and 'k' have " + get(Axis.ALL_KEYS)
                    + " keys together, at most " + Integer.MAX_VALUE + " can be");
        }
        return new AttentionShape(
                count(Axis.BATCH),
                count(Axis.HEADS),
                count(Axis.KEY_HEADS),
                count(Axis.QUERIES),
                count(Axis.ALL_KEYS),
                count(Axis.HEAD_DIM),
                count(Axis.VALUE_DIM),
                AttentionShape.Layout.BHND);
    }

    private void requireHeadDim(String tensor, Axis axis) {
        if (get(axis) < 1 || get(axis) > AttentionShape.MAX_HEAD_DIM) {
            throw new InvalidRequestException("tensor '" + tensor + "' has rows of length " + get(axis)
                    + ", but a head dim must be from 1 to " + AttentionShape.MAX_HEAD_DIM);
        }
    }
}
