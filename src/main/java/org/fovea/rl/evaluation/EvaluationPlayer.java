// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRows;
import org.fovea.rl.policy.PolicyRunner;
import org.fovea.rl.rollout.RandomStreams;

/** Plays some of an evaluation's environments. */
final class EvaluationPlayer implements AutoCloseable {
    private final VectorEnvironment environment;
    private final PolicyRunner policy;
    private final PolicyRows rows;
    private final EpisodeTable table;

    /** Index of the first environment among those of the evaluation. */
    private final int first;

    private final int end;
    private final int count;
    private final StepBatch result;
    private final float[] observations;
    private final int[] episodeSteps;
    private final double[] episodeReturns;
    private final int[] nextEpisode;

    /** Which choices the environments allow; empty where they allow all. */
    private final boolean[] allowed;

    private long played;
    private int unfinished;

    /**
     * A player of some environments.
     *
     * @param firstHere index of the batch's first environment among those of the context
     * @param firstOfContext index of the context's first environment among those of the evaluation
     * @param end index of the first environment that others play
     */
    EvaluationPlayer(
            Agent agent,
            ActorCritic.Context context,
            VectorEnvironment environment,
            int firstHere,
            int firstOfContext,
            int end,
            EpisodeTable table) {
        this.environment = environment;
        this.table = table;
        this.first = firstOfContext + firstHere;
        this.end = end;
        this.count = environment.count();
        this.policy = new PolicyRunner(
                agent,
                context,
                firstHere,
                count,
                null,
                1,
                table.settings().seed(),
                RandomStreams.EACH_STEP,
                false,
                first);
        this.rows = policy.rows(0, count);
        int size = environment.observationSpace().size();
        this.result = StepBatch.allocate(count, size);
        this.observations = new float[count * size];
        this.episodeSteps = new int[count];
        this.episodeReturns = new double[count];
        this.nextEpisode = new int[count];
        this.allowed = environment.newActionMasks();
    }

    /** Starts the environments; whether there are episodes to play. */
    boolean reset() {
        if (!table.goesOn(0)) {
            return false;
        }
        environment.reset(table.settings().seed(), first, observations);
        for (int i = 0; i < count; i++) {
            nextEpisode[i] = first + i < end ? first + i : table.settings().episodes();
            unfinished += isFinished(i) ? 0 : 1;
        }
        return unfinished > 0;
    }

    private boolean isFinished(int i) {
        return nextEpisode[i] >= table.settings().episodes();
    }

    /** Whether episodes remain to be played. */
    boolean playSegment(int steps) {
        if (unfinished == 0) {
            return false;
        }
        policy.beginSegment(episodeSteps, RandomStreams.actions(played));
        for (int step = 0; step < steps && unfinished > 0; step++) {
            if (!table.goesOn(count)) {
                return false;
            }
            if (allowed.length > 0) {
                environment.actionMasks(allowed);
            }
            if (step == 0) {
                rows.show(observations, allowed);
            } else {
                rows.show(observations, result, allowed);
            }
            played++;
            if (table.settings().stochastic()) {
                rows.sample();
            } else {
                rows.chooseBest();
            }
            environment.step(policy.choices(), policy.boundedValues(), result);
            System.arraycopy(result.observations(), 0, observations, 0, observations.length);
            float[] rewards = environment.reportedRewards(result);
            for (int i = 0; i < count; i++) {
                episodeReturns[i] += rewards[i];
                episodeSteps[i]++;
                if (result.terminated()[i] || result.truncated()[i]) {
                    ended(i, false);
                } else if (episodeSteps[i] >= table.settings().maxSteps()) {
                    ended(i, true);
                    environment.restart(i, observations);
                    result.truncated()[i] = true;
                }
            }
        }
        policy.endSegment();
        return unfinished > 0;
    }

    private void ended(int i, boolean wasCut) {
        if (!isFinished(i)) {
            table.ended(nextEpisode[i], episodeReturns[i], episodeSteps[i], wasCut);
            nextEpisode[i] += table.environments();
            if (isFinished(i)) {
                unfinished--;
            }
        }
        episodeReturns[i] = 0;
        episodeSteps[i] = 0;
    }

    @Override
    public void close() {
        policy.close();
    }
}
