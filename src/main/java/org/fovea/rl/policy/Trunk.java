// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * The part of an {@link ActorCritic} below its heads: what it makes of steps and, if it remembers, of those before them. It is applied
 * in a {@link Context}: that of environments whose history it may remember.
 */
interface Trunk {

    /** Makes a trunk whose parameters are yet to be allocated. */
    @FunctionalInterface
    interface Maker {
        /**
         * Declares the parameters of a trunk.
         *
         * @param name of the trunk, with which theirs begin; may be empty
         * @param features makes the part that sees one step, given the prefix of its parameters' names
         */
        Trunk create(Parameters parameters, String name, NetworkConfig config, Function<String, StepFeatures> features);
    }

    /** The name of a part of a trunk. */
    static String nameOf(String trunk, String part) {
        return trunk.isEmpty() ? part : trunk + "." + part;
    }

    /** The part that sees one step. */
    StepFeatures features();

    /** Elements per row of what it makes of a step. */
    int size();

    /** Multiply-adds times two of one forward pass for one step. */
    long flops();

    /** Numbers that a pass over one step in training, and back, takes, as far as is known: it was counted where policies trained. */
    long activations();

    /**
     * The trunk with a memory of a number of environments, from segment to segment of {@code rolloutSteps}.
     *
     * @param burnIn steps before a segment that its memory is recomputed through
     */
    Context context(int environments, int rolloutSteps, int burnIn);

    /**
     * What it makes of a whole episode from its first step on, as in play: [steps, size()].
     *
     * @param listener told of attention over steps
     */
    Tensor replay(StepFeatures.Encoded steps, ReplayListener listener);

    /** A trunk and its memory of a set of environments that are played in segments. */
    interface Context extends AutoCloseable {

        /**
         * The training pass over some units of the segment played last.
         *
         * @param steps of [units * {@link PolicyKind#stepsPerUnit}] rows
         * @param units I32, which units of the rollout these are
         * @return [rows, size()]
         */
        Tensor forward(StepFeatures.Encoded steps, DeviceArray units);

        /** See {@link ActorCritic.Context#actor}. */
        Player player(int first, int count, int places);

        /** The {@link StepClock#positions position} of the first step of a segment. */
        int origin();

        /** Makes what the segment just played left behind the memory of the next. */
        void advance();

        /** Arrays that a checkpoint keeps, by name. */
        Map<String, DeviceArray> persistent();

        @Override
        void close();
    }

    /** Follows some environments step by step. What it does for a step it does alike for all, so that the step can be captured. */
    interface Player {
        /**
         * Tells the device which steps before a segment belong to the episodes under way.
         *
         * @param episodeSteps per environment, steps already taken in its episode
         */
        void mark(int[] episodeSteps);

        /** Starts a segment, on the device alone: brings what is derived from the parameters up to date. */
        void beginSegment();

        /**
         * What it makes of the step of the segment at which each environment stands, [count, size()], which becomes part of the memory
         * of environments {@code [from, to)}; nothing changes for the others.
         */
        Tensor act(StepFeatures.Encoded step, StepClock clock, int from, int to);

        /** What it would make of such a step, without remembering it. */
        Tensor peek(StepFeatures.Encoded step, StepClock clock);

        /** What it takes to {@link #recall} how the next step would look in environments {@code [from, to)}, and the places for it. */
        List<TableRows> setAside(int from, int to);

        /** What it would have made of the steps that were set aside, one in each place, [places, size()]; of others, anything. */
        Tensor recall(StepFeatures.Encoded steps, StepClock places);

        /** Ends the segment. */
        void endSegment();
    }
}
