// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import org.fovea.backend.attention.AttentionShape;
import org.fovea.io.SafeTensorsReader;

/** Tensors of keys and values where some come from the past: on a device the past ones stand before the new, head by head. */
final class KeyRows {
    private KeyRows() {}

    /** A tensor of operands; if of keys or values, with the past before it, which has derivative 0. */
    static Numbers withPast(Request request, String name) {
        SafeTensorsReader reader = request.reader();
        Numbers numbers = new TensorNumbers(reader, name);
        String kind = kind(name);
        if (request.past() == 0 || kind.isEmpty()) {
            return numbers;
        }
        AttentionShape shape = request.shape();
        long dim = request.info(kind).extent(3);
        long newRun = (shape.keys() - request.past()) * dim;
        long pastRun = request.past() * dim;
        Numbers past = name.equals(kind)
                ? new TensorNumbers(reader, "past_" + kind)
                : Numbers.zeros((long) shape.batch() * shape.keyHeads() * pastRun);
        return Numbers.joined(past, pastRun, numbers, newRun);
    }

    /** {@code k} or {@code v} for a tensor in the shape of one of these, else nothing. */
    private static String kind(String name) {
        TensorRule rule = TensorRules.get(name);
        String model = rule == null || rule.model() == null ? name : rule.model();
        return model.equals("k") || model.equals("v") ? model : "";
    }

    /** The new ones of all keys or values. */
    static Numbers withoutPast(Request request, Numbers all, int dim) {
        long keys = request.shape().keys();
        return request.past() == 0 ? all : Numbers.lastOfEach(all, keys * dim, (keys - request.past()) * dim);
    }
}
