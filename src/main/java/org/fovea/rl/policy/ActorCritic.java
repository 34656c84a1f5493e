// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Map;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A network that maps observations to the policy's outputs and to the value of the state. It is applied in a {@link
 * Context}: that of environments whose history it may remember.
 */
public interface ActorCritic {

    /** The network with a memory of a number of environments, from segment to segment of {@code rolloutSteps}. */
    Context context(int environments, int rolloutSteps);

    /** Elements per row of {@link Context#valueFeatures}. */
    int valueFeatureCount();

    /** Values of {@link Context#valueFeatures}, by the value's own parameters; [rows, 1]. */
    Tensor valuesOf(Tensor features);

    /** Multiply-adds times two of one forward pass for one step. */
    long flopsPerStep();

    /**
     * Both heads.
     *
     * @param policy [rows, outputs of the distribution]
     * @param values [rows, 1]
     */
    record Outputs(Tensor policy, Tensor values) {
        /** The same where some choices are forbidden; see {@link ActionDistribution#restrict}. */
        public Outputs restricted(ActionDistribution distribution, @Nullable Tensor masks) {
            return masks == null ? this : new Outputs(distribution.restrict(policy, masks), values);
        }
    }

    /** The network and its memory of a set of environments that are played in segments. */
    interface Context extends AutoCloseable {

        /**
         * The training pass over some units of the segment played last.
         *
         * @param observations [units * {@link PolicyKind#stepsPerUnit}, size]
         * @param units I32, which units of the rollout these are
         */
        Outputs forward(Tensor observations, DeviceArray units);

        /** {@link #forward} of the policy alone. */
        Tensor policy(Tensor observations, DeviceArray units);

        /**
         * The training pass as far as value and policy have parameters in common: what is left is the value's own.
         *
         * @return [rows, valueFeatureCount()]
         */
        Tensor valueFeatures(Tensor observations, DeviceArray units);

        /** A view for playing environments {@code [first, first + count)}, for one thread at a time. */
        Actor actor(int first, int count);

        /** Makes what the segment just played left behind the memory of the next. */
        void advance();

        /** Arrays that a checkpoint keeps, by name. */
        Map<String, DeviceArray> persistent();

        @Override
        void close();
    }

    /** Plays some environments step by step. */
    interface Actor {

        /**
         * Starts a segment: brings what is derived from the parameters up to date.
         *
         * @param episodeSteps per environment, steps already taken in its episode
         */
        void beginSegment(int[] episodeSteps);

        /**
         * Outputs for the observations of step {@code step} of the segment, which become part of the memory.
         *
         * @param observations [count, size]
         */
        Outputs act(Tensor observations, int step, int[] episodeSteps);

        /** Outputs for observations that would be those of step {@code step}, without remembering them. */
        Outputs peek(Tensor observations, int step, int[] episodeSteps);

        /** Ends the segment. */
        void endSegment();
    }
}
