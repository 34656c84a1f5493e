// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Where the parts of a {@link Space} are among the numbers of an observation, and among the choices and numbers of an
 * action. Its text is what a policy is saved with.
 *
 * @param space that is described
 * @param leaves its parts that have no parts, in order
 */
public record Schema(Space space, List<Leaf> leaves) {

    /**
     * A part.
     *
     * @param path to it, such as {@code arm.angle} or {@code [1]}; empty where the space is the part
     * @param space not a {@link Space.Dict} nor a {@link Space.Tuple}
     * @param offset of its first number in an observation
     */
    public record Leaf(String path, Space space, int offset) {}

    /** The schema of a space. */
    public static Schema of(Space space) {
        List<Leaf> leaves = new ArrayList<>();
        add(space, "", leaves);
        return new Schema(space, List.copyOf(leaves));
    }

    private static void add(Space space, String path, List<Leaf> leaves) {
        if (space instanceof Space.Dict dict) {
            dict.parts().forEach((name, part) -> add(part, path.isEmpty() ? name : path + "." + name, leaves));
        } else if (space instanceof Space.Tuple tuple) {
            for (int i = 0; i < tuple.parts().size(); i++) {
                add(tuple.parts().get(i), path + "[" + i + "]", leaves);
            }
        } else {
            Leaf last = leaves.isEmpty() ? null : leaves.get(leaves.size() - 1);
            leaves.add(new Leaf(
                    path, space, last == null ? 0 : last.offset() + last.space().size()));
        }
    }

    /** The element's name in messages: {@code arm.angle[2]}. */
    public String element(int index) {
        Leaf leaf = leaves.get(0);
        for (Leaf other : leaves) {
            leaf = other.offset() <= index ? other : leaf;
        }
        return leaf.path() + "[" + (index - leaf.offset()) + "]";
    }

    /** Of an action: from how many each choice is, in order; empty where nothing is chosen. */
    public int[] choices() {
        return leaves.stream()
                .flatMapToInt(leaf -> Arrays.stream(choices(leaf.space())))
                .toArray();
    }

    private static int[] choices(Space space) {
        if (space instanceof Space.Discrete discrete) {
            return new int[] {discrete.n()};
        }
        if (space instanceof Space.EntityChoice entities) {
            return new int[] {entities.most()};
        }
        if (space instanceof Space.MultiDiscrete multi) {
            return multi.n();
        }
        if (space instanceof Space.MultiBinary bits) {
            int[] two = new int[bits.n()];
            Arrays.fill(two, 2);
            return two;
        }
        return new int[0];
    }

    /** Of an action: the number of the first of each choice, see {@link Space.Discrete#start}. */
    public int[] starts() {
        return leaves.stream()
                .flatMapToInt(leaf -> leaf.space() instanceof Space.Discrete discrete
                        ? Arrays.stream(new int[] {discrete.start()})
                        : Arrays.stream(new int[choices(leaf.space()).length]))
                .toArray();
    }

    /** Of an action: its numbers with their bounds, if there are any. */
    public Optional<Space.Box> box() {
        List<Space.Box> boxes = leaves.stream()
                .filter(leaf -> leaf.space() instanceof Space.Box)
                .map(leaf -> (Space.Box) leaf.space())
                .toList();
        if (boxes.isEmpty()) {
            return Optional.empty();
        }
        int size = boxes.stream().mapToInt(Space.Box::size).sum();
        float[] low = new float[size];
        float[] high = new float[size];
        int at = 0;
        for (Space.Box box : boxes) {
            System.arraycopy(box.low(), 0, low, at, box.size());
            System.arraycopy(box.high(), 0, high, at, box.size());
            at += box.size();
        }
        return Optional.of(new Space.Box(low, high));
    }

    /**
     * That a policy can act in this space: choices alone, or numbers alone.
     *
     * @throws InvalidEnvironmentException naming the part that it can't give
     */
    void requireActions() {
        for (Leaf leaf : leaves) {
            if (leaf.space() instanceof Space.Entities || leaf.space() instanceof Space.Image) {
                throw new InvalidEnvironmentException("the action space" + at(leaf) + " is " + leaf.space()
                        + ", which only an observation can be; actions are Discrete, MultiDiscrete, MultiBinary, EntityChoice or"
                        + " Box, or a Dict or Tuple of those");
            }
        }
        if (choices().length > 0 && box().isPresent()) {
            throw new InvalidEnvironmentException("the action space has choices and numbers together, " + space
                    + "; a policy gives either: use Discrete, MultiDiscrete and MultiBinary alone, or Box alone");
        }
    }

    /**
     * That each {@link Space.EntityChoice} of an action space is of entities that this observation space has.
     *
     * @throws InvalidEnvironmentException naming the one that isn't
     */
    void requireEntitiesOf(Schema actions) {
        for (Leaf leaf : leaves) {
            if (leaf.space() instanceof Space.EntityChoice) {
                throw new InvalidEnvironmentException(
                        "the observation space" + at(leaf) + " is " + leaf.space() + ", which only an action can be");
            }
        }
        for (Leaf leaf : actions.leaves) {
            if (leaf.space() instanceof Space.EntityChoice choice) {
                boolean found = leaves.stream()
                        .anyMatch(other -> other.path().equals(choice.entities())
                                && other.space() instanceof Space.Entities entities
                                && entities.most() == choice.most());
                if (!found) {
                    throw new InvalidEnvironmentException("the action space" + at(leaf) + " is " + choice
                            + ", but the observation space " + space + " has no Entities of up to " + choice.most()
                            + (choice.entities().isEmpty() ? " alone" : " at '" + choice.entities() + "'"));
                }
            }
        }
    }

    private static String at(Leaf leaf) {
        return leaf.path().isEmpty() ? "" : ", at " + leaf.path() + ",";
    }

    @Override
    public String toString() {
        return space.toString();
    }
}
