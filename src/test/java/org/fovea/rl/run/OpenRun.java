// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import org.fovea.backend.Backend;
import org.fovea.rl.learner.Learner;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.rollout.RecentEpisodes;
import org.fovea.rl.rollout.Rollout;
import org.fovea.rl.rollout.StopSignal;

/** A run that a test plays, looks into and disturbs, iteration by iteration. */
public final class OpenRun implements AutoCloseable {
    public final Agent agent;
    public final ActorCritic.Context context;
    public final Learner learner;
    public final Rollout rollout;
    public final RecentEpisodes episodes;
    private final TrainingState state;

    private OpenRun(TrainingState state) {
        this.state = state;
        this.agent = state.agent();
        this.context = state.context();
        this.learner = state.learner();
        this.rollout = state.collector().rollout();
        this.episodes = state.collector().episodes();
    }

    /** A new run whose environments have been started. */
    public static OpenRun start(Backend backend, RunSpec spec) {
        return start(backend, spec, PlaySettings.DEFAULT);
    }

    /** The same, played in another way. */
    public static OpenRun start(Backend backend, RunSpec spec, PlaySettings play) {
        TrainingState state = TrainingState.create(backend, spec, play);
        state.collector().reset();
        return new OpenRun(state);
    }

    /** That of a trainer, which closes it. */
    public static OpenRun of(Trainer trainer) {
        return new OpenRun(trainer.state());
    }

    /** Plays the next rollout. */
    public void collect() {
        state.collect(new StopSignal(() -> false));
    }

    /** Ends the iteration. */
    public void advance() {
        state.advance();
    }

    /** One iteration. */
    public UpdateStatistics iterate(int iteration) {
        collect();
        UpdateStatistics statistics = learner.update(0, 7, iteration, iteration);
        advance();
        return statistics;
    }

    public float[] parameters() {
        float[] values = new float[(int) agent.parameters().length()];
        agent.backend().memory().download(agent.parameters().values(), values, 0);
        return values;
    }

    @Override
    public void close() {
        state.close();
    }
}
