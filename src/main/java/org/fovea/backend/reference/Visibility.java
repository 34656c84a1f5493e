// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** The keys that a query sees, and how far from each other they stand. */
final class Visibility {

    /** A run of queries and of keys that belong together: a batch row, or a sequence of a packed batch. */
    private record Run(int firstQuery, int queries, int firstKey, int validKeys) {
        boolean holds(int i, int j) {
            return i >= firstQuery && i < firstQuery + queries && j >= firstKey && j < firstKey + validKeys;
        }
    }

    private static final Run NONE = new Run(0, 0, 0, 0);

    private final AttentionShape shape;
    private final AttentionSpec spec;
    private final @Nullable ReferenceArray querySegments;
    private final @Nullable ReferenceArray keySegments;
    private final @Nullable ReferenceArray keyLengths;
    private final @Nullable ReferenceArray querySequences;
    private final @Nullable ReferenceArray keySequences;
    private final @Nullable ScoreBias<DeviceArray> mask;
    private final @Nullable ReferenceArray maskArray;

    Visibility(ReferenceMemory memory, AttentionCall<DeviceArray> call) {
        AttentionMask<DeviceArray> in = call.mask();
        shape = call.shape();
        spec = call.spec();
        querySegments = use(memory, in.querySegments());
        keySegments = use(memory, in.keySegments());
        keyLengths = use(memory, in.keyLengths());
        querySequences = use(memory, in.querySequences());
        keySequences = use(memory, in.keySequences());
        mask = in.scores();
        maskArray = mask == null ? null : memory.use(mask.array());
    }

    private static @Nullable ReferenceArray use(ReferenceMemory memory, @Nullable DeviceArray array) {
        return array == null ? null : memory.use(array);
    }

    private static int clamp(int x, int limit) {
        return Math.max(0, Math.min(limit, x));
    }

    /** The run of query i of batch row b. */
    private Run run(int b, int i) {
        int length = keyLengths == null ? shape.keys() : clamp(keyLengths.integer(b), shape.keys());
        if (querySequences == null || keySequences == null) {
            return new Run(0, shape.queries(), 0, length);
        }
        for (int s = 0; s + 1 < querySequences.size(); s++) {
            int query = clamp(querySequences.integer(s), shape.queries());
            int queryEnd = clamp(querySequences.integer(s + 1), shape.queries());
            if (i >= query && i < queryEnd) {
                int key = clamp(keySequences.integer(s), shape.keys());
                int keyEnd = Math.min(length, clamp(keySequences.integer(s + 1), shape.keys()));
                return new Run(query, queryEnd - query, key, Math.max(0, keyEnd - key));
            }
        }
        return NONE;
    }

    /** How many positions key j is after query i; one in no run stands at 0. */
    private static long ahead(Run run, AttentionSpec spec, int i, int j) {
        if (run.queries == 0) {
            return j;
        }
        long query = (long) spec.firstQueryPosition(run.queries, run.validKeys) + i - run.firstQuery;
        return j - run.firstKey - query;
    }

    /** Positions between query i and key j. */
    long distance(int b, int i, int j) {
        return Math.abs(ahead(run(b, i), spec, i, j));
    }

    boolean sees(int b, int h, int i, int j) {
        Run run = run(b, i);
        if (!run.holds(i, j)) {
            return false;
        }
        long ahead = ahead(run, spec, i, j);
        if (spec.windowLeft() != AttentionSpec.UNLIMITED && -ahead > spec.windowLeft()) {
            return false;
        }
        if (spec.windowRight() != AttentionSpec.UNLIMITED && ahead > spec.windowRight()) {
            return false;
        }
        if (querySegments != null
                && keySegments != null
                && querySegments.integer(b * shape.queries() + i) != keySegments.integer(b * shape.keys() + j)) {
            return false;
        }
        return mask == null || maskArray == null || maskArray.get(at(mask, b, h, i, j)) != Double.NEGATIVE_INFINITY;
    }

    /** Where a term has its part of a score; an axis of length 1 has but one place. */
    int at(ScoreBias<DeviceArray> term, int b, int h, int i, int j) {
        if (term.isRelative()) {
            long step = Math.max(-term.reach(), Math.min(term.reach(), ahead(run(b, i), spec, i, j)));
            int table = b % term.batch() * term.heads() + h % term.heads();
            return Math.toIntExact((2L * term.reach() + 1) * table + term.reach() + step);
        }
        int row = (b % term.batch() * term.heads() + h % term.heads()) * term.queries() + i % term.queries();
        return row * term.keys() + j % term.keys();
    }
}
