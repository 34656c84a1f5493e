// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * A change to an environment, such as a time limit. It is written behind the environment's name, and any number of them are
 * applied from left to right: {@code CartPole-v1+sticky_actions=0.25+frame_stack=4}. {@link EnvironmentSpec#wrapped} does the same
 * in Java, also with a wrapper of one's own.
 *
 * <p>Names, in {@link #of}: {@code frame_stack=N}, {@code time_limit=N}, {@code action_repeat=N}, {@code
 * sticky_actions=PROBABILITY}, {@code reward_scale=FACTOR}, {@code reward_clip=LIMIT}, {@code grayscale}, {@code downsample=N}, {@code
 * previous_reward}, {@code flatten} (any observation as a vector, to which no encoder of entities or images is applied).
 *
 * <p>Masks and saved states are those of the inner environment, to which a wrapper adds its own. Normalising observations and
 * rewards is the trainer's part, not a wrapper's.
 */
public interface Wrapper {

    /** As it is written behind a name: {@code frame_stack=4}. */
    String text();

    /**
     * What observations look like in an environment that has these.
     *
     * @throws IllegalArgumentException if they can't be changed so
     */
    default Space observationSpace(Space inner) {
        return inner;
    }

    /** Whether returns mean the same: then so do the score that counts as solved and the returns to compare with. */
    default boolean keepsReturns() {
        return false;
    }

    /** Whether {@link #wrap} is to be given batches of one environment. */
    default boolean oneByOne() {
        return false;
    }

    /** The batch with the change, which closes {@code inner}. */
    VectorEnvironment wrap(VectorEnvironment inner);

    /**
     * Shows the newest {@code frames} observations, the oldest first; before there are so many, the first in place of those that
     * are missing. Images are stacked as channels, vectors become one, other spaces a tuple.
     */
    static Wrapper frameStack(int frames) {
        return new FrameStack.Of(frames);
    }

    /**
     * Shows the reward of the step before as a further part of an observation, 0 in an episode's first: that of the environment
     * with the wrappers within.
     */
    static Wrapper previousReward() {
        return new PreviousReward.Of();
    }

    /** Truncates episodes after {@code steps}. */
    static Wrapper timeLimit(int steps) {
        return new TimeLimit.Of(steps);
    }

    /**
     * Acts {@code times} times in a step, fewer where the episode ends or a choice is not allowed any more; rewards are added
     * up.
     */
    static Wrapper actionRepeat(int times) {
        return new ActionRepeat.Of(times);
    }

    /**
     * Does the action of the step before again, with a probability, instead of the one that was chosen (Machado et al. 2018). The
     * first action of an episode is done, and one that is allowed where the one before is not.
     */
    static Wrapper stickyActions(double probability) {
        return new StickyActions.Of(probability);
    }

    /**
     * Changes the rewards that are learned from. Returns that are reported, in training and evaluation, are of those that the
     * environment gives.
     *
     * @param text as it is written behind a name
     */
    static Wrapper rewards(String text, RewardTransform transform) {
        return new TransformedRewards.Of(text, transform);
    }

    /**
     * Changes observations.
     *
     * @param text as it is written behind a name
     * @param transform for an environment with these observations
     */
    static Wrapper observations(String text, Function<Space, ObservationTransform> transform) {
        return new TransformedObservations.Of(text, transform);
    }

    /** What to make of a reward. */
    @FunctionalInterface
    interface RewardTransform {
        float apply(float reward);
    }

    /** What to make of an observation. */
    interface ObservationTransform {
        /** What the result looks like. */
        Space space();

        /** Reads an observation from {@code from} on, and writes the result from {@code to} on. */
        void apply(float[] observations, int from, float[] results, int to);
    }

    /**
     * The wrapper that is written so.
     *
     * @throws UnknownNameException if there is none of that name; it offers the nearest
     * @throws IllegalArgumentException if the value is not valid
     */
    static Wrapper of(String text) {
        Map<String, Function<WrapperArgument, Wrapper>> named = new LinkedHashMap<>();
        named.put("frame_stack", argument -> frameStack(argument.wholeNumber()));
        named.put("time_limit", argument -> timeLimit(argument.wholeNumber()));
        named.put("action_repeat", argument -> actionRepeat(argument.wholeNumber()));
        named.put("sticky_actions", argument -> stickyActions(argument.number()));
        named.put("reward_scale", argument -> {
            float factor = (float) argument.number();
            return rewards(text, reward -> reward * factor);
        });
        named.put("reward_clip", argument -> {
            float limit = (float) argument.numberAbove(0);
            return rewards(text, reward -> Math.max(-limit, Math.min(limit, reward)));
        });
        named.put("grayscale", argument -> {
            argument.none();
            return observations(text, Images.Grayscale::new);
        });
        named.put("downsample", argument -> {
            int factor = argument.wholeNumber();
            return observations(text, space -> new Images.Downsample(space, factor));
        });
        named.put("previous_reward", argument -> {
            argument.none();
            return previousReward();
        });
        named.put("flatten", argument -> {
            argument.none();
            return observations(text, Flatten::new);
        });
        WrapperArgument argument = WrapperArgument.of(text);
        Function<WrapperArgument, Wrapper> wrapper = named.get(argument.name());
        if (wrapper == null) {
            throw new UnknownNameException("wrapper", argument.name(), named.keySet());
        }
        return wrapper.apply(argument);
    }
}
