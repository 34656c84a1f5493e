// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.rl.policy.ObservationNormalizer;
import org.fovea.rl.policy.PolicyRunner;

/** One collector's part of a rollout while it is played, on the host; arrays are [count, steps, ...]. */
final class Segment {
    private final int count;
    private final int steps;
    private final int observationSize;
    private final int tokenSize;
    private final int parts;
    private final int actionSize;
    private final int maskSize;
    private final float[] rawObservations;
    private final float[] tokens;
    private final int[] choices;
    private final float[] actions;
    private final float[] masks;
    private final float[] logProbs;
    private final float[] values;
    private final float[] nextValues;
    private final float[] rewards;
    private final float[] done;
    private final float[] discountedReturns;
    private final boolean[] ended;

    /** @param policy whose steps are recorded */
    Segment(int count, int steps, int observationSize, PolicyRunner policy) {
        this.count = count;
        this.steps = steps;
        this.observationSize = observationSize;
        this.tokenSize = policy.tokens().length / count;
        this.parts = policy.choices().length / count;
        this.actionSize = policy.actions().length / count;
        this.maskSize = policy.masks().length / count;
        int rows = count * steps;
        this.rawObservations = new float[rows * observationSize];
        this.tokens = new float[rows * tokenSize];
        this.choices = new int[rows * parts];
        this.actions = new float[rows * actionSize];
        this.masks = new float[rows * maskSize];
        this.logProbs = new float[rows];
        this.values = new float[rows];
        this.nextValues = new float[rows];
        this.rewards = new float[rows];
        this.done = new float[rows];
        this.discountedReturns = new float[rows];
        this.ended = new boolean[rows];
    }

    /** Records what the policy was shown, did and expected in environments {@code [from, to)}. */
    void played(int step, float[] stepObservations, PolicyRunner policy, int from, int to) {
        for (int i = from; i < to; i++) {
            int row = i * steps + step;
            System.arraycopy(
                    stepObservations, i * observationSize, rawObservations, row * observationSize, observationSize);
            System.arraycopy(policy.tokens(), i * tokenSize, tokens, row * tokenSize, tokenSize);
            System.arraycopy(policy.choices(), i * parts, choices, row * parts, parts);
            System.arraycopy(policy.actions(), i * actionSize, actions, row * actionSize, actionSize);
            System.arraycopy(policy.masks(), i * maskSize, masks, row * maskSize, maskSize);
            logProbs[row] = policy.logProbs()[i];
            values[row] = policy.values()[i];
        }
    }

    /** Records what came of it, the reward as the environment gave it. */
    void rewarded(int step, int i, float reward, boolean episodeEnded, float discountedReturn) {
        int row = i * steps + step;
        rewards[row] = reward;
        ended[row] = episodeEnded;
        done[row] = episodeEnded ? 1 : 0;
        nextValues[row] = 0;
        discountedReturns[row] = discountedReturn;
    }

    /** Where a step is recorded. */
    int row(int step, int i) {
        return i * steps + step;
    }

    void truncated(int row, float finalValue) {
        nextValues[row] = finalValue;
    }

    /** Fills in the values of successors, given those of the observations after the last step. */
    void finish(float[] lastValues) {
        for (int i = 0; i < count; i++) {
            for (int step = 0; step < steps; step++) {
                int row = i * steps + step;
                if (!ended[row]) {
                    nextValues[row] = step + 1 < steps ? values[row + 1] : lastValues[i];
                }
            }
        }
    }

    void includeIn(ObservationNormalizer observations) {
        if (observations.enabled()) {
            observations.include(rawObservations, count * steps);
        }
    }

    void includeIn(RewardNormalizer normalizer) {
        if (normalizer.enabled()) {
            normalizer.include(discountedReturns, count * steps);
        }
    }

    /** Normalizes the rewards and uploads them. */
    void uploadRewards(Backend backend, RewardNormalizer normalizer, Rollout rollout, int first) {
        for (int row = 0; row < rewards.length; row++) {
            rewards[row] = normalizer.normalize(rewards[row]);
        }
        upload(backend, rewards, rollout.rewards(), (long) first * steps);
    }

    /** Uploads all but the rewards. */
    void upload(Backend backend, Rollout rollout, int first) {
        int rows = count * steps;
        long from = (long) first * steps;
        backend.memory().upload(tokens, 0, rollout.observations().slice(from * tokenSize, (long) rows * tokenSize));
        if (actionSize == 0) {
            backend.memory().upload(choices, 0, rollout.actions().slice(from * parts, (long) rows * parts));
        } else {
            backend.memory().upload(actions, 0, rollout.actions().slice(from * actionSize, (long) rows * actionSize));
        }
        if (maskSize > 0) {
            upload(backend, masks, rollout.masks(), from * maskSize);
        }
        upload(backend, logProbs, rollout.logProbs(), from);
        upload(backend, values, rollout.values(), from);
        upload(backend, nextValues, rollout.nextValues(), from);
        upload(backend, done, rollout.done(), from);
    }

    private static void upload(Backend backend, float[] source, DeviceArray target, long from) {
        backend.memory().upload(source, 0, target.slice(from, source.length));
    }
}
