// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** How many {@link Space.Entities} a batch's environments have now, for those of which one may have to be chosen. */
final class EntityCounts {
    private final int observationSize;
    private final int choices;
    private final List<Entities> sets = new ArrayList<>();
    private final List<Pointer> pointers = new ArrayList<>();

    /** Of each environment and set, [environments, sets]. */
    private final int[] counts;

    private record Entities(String path, int most, int countAt) {}

    /** A choice among the entities of a set; its mask begins at {@code from}. */
    private record Pointer(int set, int from, int most) {}

    EntityCounts(int environments, Space observations, Space actions) {
        observationSize = observations.size();
        for (Schema.Leaf leaf : Schema.of(observations).leaves()) {
            if (leaf.space() instanceof Space.Entities entities) {
                sets.add(new Entities(leaf.path(), entities.most(), leaf.offset() + entities.size() - 1));
            }
        }
        int from = 0;
        for (Schema.Leaf leaf : Schema.of(actions).leaves()) {
            if (leaf.space() instanceof Space.EntityChoice choice) {
                for (int set = 0; set < sets.size(); set++) {
                    if (sets.get(set).path.equals(choice.entities())) {
                        pointers.add(new Pointer(set, from, choice.most()));
                    }
                }
            }
            for (int n : Schema.of(leaf.space()).choices()) {
                from += n;
            }
        }
        choices = from;
        counts = new int[environments * sets.size()];
    }

    /**
     * Notes how many row {@code row} of observations has.
     *
     * @throws EnvironmentException if that is no number of entities
     */
    void note(float[] observations, int row, int environment, IntFunction<String> where) {
        for (int set = 0; set < sets.size(); set++) {
            Entities entities = sets.get(set);
            float count = observations[row * observationSize + entities.countAt];
            if (count != (int) count || count < 0 || count > entities.most) {
                throw new EnvironmentException(where.apply(environment) + ": the observation's last number"
                        + (entities.path.isEmpty() ? "" : " of " + entities.path) + " is " + count
                        + ", but says how many entities there are: a whole number from 0 to " + entities.most);
            }
            counts[environment * sets.size() + set] = (int) count;
        }
    }

    /** @throws EnvironmentException if one is to be chosen and there is none */
    void requireOne(int environment, IntFunction<String> where) {
        for (Pointer pointer : pointers) {
            if (count(environment, pointer) == 0) {
                throw new EnvironmentException(where.apply(environment) + ": there is no entity "
                        + (sets.get(pointer.set).path.isEmpty() ? "" : "in " + sets.get(pointer.set).path + " ")
                        + "to choose; end the episode where there is nothing to do, or add one that does nothing");
            }
        }
    }

    /** Forbids to choose those that aren't there, in row {@code environment} of masks. */
    void forbidAbsent(int environment, boolean[] allowed) {
        for (Pointer pointer : pointers) {
            int from = environment * choices + pointer.from;
            for (int i = count(environment, pointer); i < pointer.most; i++) {
                allowed[from + i] = false;
            }
        }
    }

    private int count(int environment, Pointer pointer) {
        return counts[environment * sets.size() + pointer.set];
    }
}
