package org.fovea.rl.policy;

import java.util.Map;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/** A network that maps observations to the policy's outputs and to the value of the state. */
public interface ActorCritic {

    /** Steps that must stay together in a minibatch, for rollouts of {@code rolloutSteps}: 1, or all of them. */
    int stepsPerUnit(int rolloutSteps);

    /** What the network remembers of so many environments, from segment to segment of so many steps. */
    Context context(int environments, int rolloutSteps);

    /**
     * The training pass over some units of a rollout.
     *
     * @param observations [units * stepsPerUnit, size]
     * @param units I32, which units of the rollout these are
     */
    Outputs forward(Tape tape, Tensor observations, Context context, DeviceArray units);

    /** {@link #forward} of the policy alone. */
    Tensor policy(Tape tape, Tensor observations, Context context, DeviceArray units);

    /** Elements per row of {@link #valueFeatures}. */
    int valueFeatureCount();

    /**
     * The training pass as far as value and policy have parameters in common: what is left is the value's own.
     *
     * @return [rows, valueFeatureCount()]
     */
    Tensor valueFeatures(Tape tape, Tensor observations, Context context, DeviceArray units);

    /** Values of {@link #valueFeatures}, by the value's own parameters; [rows, 1]. */
    Tensor valuesOf(Tensor features);

    /** Multiply-adds times two of one forward pass for one step. */
    long flopsPerStep();

    /**
     * Both heads.
     *
     * @param policy [rows, outputs of the distribution]
     * @param values [rows, 1]
     */
    record Outputs(Tensor policy, Tensor values) {}

    /** Memory of a set of environments that are played in segments. */
    interface Context extends AutoCloseable {

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
        Outputs act(Tape tape, Tensor observations, int step, int[] episodeSteps);

        /** Outputs for observations that would be those of step {@code step}, without remembering them. */
        Outputs peek(Tape tape, Tensor observations, int step, int[] episodeSteps);

        /** Ends the segment. */
        void endSegment();
    }
}
