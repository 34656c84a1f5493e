// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.fovea.backend.Backend;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.RunningMoments;

/** Plays the environments of a run, side by side in some parts, and fills a rollout. */
public final class Collector implements AutoCloseable {
    private final Backend backend;
    private final Agent agent;
    private final EnvironmentSet environments;
    private final RewardNormalizer rewards;
    private final List<SegmentPlayer> players = new ArrayList<>();
    private final Rollout rollout;
    private final RecentEpisodes episodes = new RecentEpisodes();
    private boolean exact;

    /** Whether the normalizer took in the observations of the rollout while it was played. */
    private boolean observationsIncluded;

    /**
     * Environments that are yet to be started.
     *
     * @param environments closed with this
     * @param seed of the run
     */
    public Collector(
            Agent agent, ActorCritic.Context context, EnvironmentSet environments, RolloutConfig config, long seed) {
        this.backend = agent.backend();
        this.agent = agent;
        this.environments = environments;
        this.rewards = new RewardNormalizer(config.normalizeRewards(), config.gamma());
        int count = 0;
        for (VectorEnvironment batch : environments.batches()) {
            players.add(new SegmentPlayer(agent, context, rewards, batch, count, config.rolloutSteps(), seed));
            count += batch.count();
        }
        this.rollout = Rollout.allocate(
                backend, count, config.rolloutSteps(), agent.encoder().size(), agent.distribution());
        this.exact = players.stream().allMatch(SegmentPlayer::canSaveState);
    }

    /** Starts the environments. */
    public void reset() {
        players.forEach(SegmentPlayer::reset);
    }

    /**
     * Plays the next rollout.
     *
     * @param firstStep number of steps that each environment has taken before
     * @return whether it is complete: if not, the environments are somewhere within it
     */
    public boolean collect(long firstStep, StopSignal stop) {
        observationsIncluded = agent.observations().lacksStatistics();
        boolean complete = observationsIncluded
                ? collectStepByStep(firstStep, stop)
                : forEachPlayer(stop, player -> player.collect(rollout, firstStep, stop));
        if (!complete) {
            return false;
        }
        players.forEach(SegmentPlayer::includeRewards);
        rewards.refresh();
        players.forEach(player -> player.uploadRewards(rollout));
        return true;
    }

    /** The first rollout: players keep step, so that the moments of observations are the same however they are cut. */
    private boolean collectStepByStep(long firstStep, StopSignal stop) {
        players.forEach(SegmentPlayer::begin);
        for (int step = 0; step < rollout.steps(); step++) {
            players.forEach(SegmentPlayer::includeObservations);
            agent.observations().refresh();
            int played = step;
            if (!forEachPlayer(stop, player -> player.play(played, firstStep + played, stop))) {
                return false;
            }
        }
        players.forEach(player -> player.finish(rollout));
        return true;
    }

    /** Whether every player completed its work. */
    private boolean forEachPlayer(StopSignal stop, Predicate<SegmentPlayer> work) {
        return stop.count(backend, players.size(), part -> work.test(players.get(part))) == players.size();
    }

    /** Share of the time of playing that environments took for their steps. */
    public double environmentShare() {
        double inEnvironments =
                players.stream().mapToLong(SegmentPlayer::environmentNanos).sum();
        return inEnvironments / players.stream().mapToLong(SegmentPlayer::nanos).sum();
    }

    /** Ends an iteration, after the rollout was learned from. */
    public void advance() {
        for (SegmentPlayer player : players) {
            if (!observationsIncluded) {
                player.includeSegment();
            }
            episodes.add(player.episodes());
            episodes.sawSteps(player.longestEpisode());
        }
        agent.observations().refresh();
    }

    /** Whether a run that is resumed from a checkpoint of this one continues as this one does. */
    public boolean resumesExactly() {
        return exact;
    }

    /** Writes the state of every environment, in an order that does not depend on how they are cut. */
    public void saveEnvironments(DataOutput out) throws IOException {
        boolean canSave = players.stream().allMatch(SegmentPlayer::canSaveState);
        out.writeBoolean(canSave);
        if (canSave) {
            for (SegmentPlayer player : players) {
                for (int i = 0; i < player.count(); i++) {
                    player.saveState(i, out);
                }
            }
        }
    }

    /**
     * Restores what was saved. Environments that could not save their state are reset.
     *
     * @param runStep number of steps that each environment had taken
     */
    public void restoreEnvironments(DataInput in, long runStep) throws IOException {
        exact &= in.readBoolean();
        if (!exact) {
            restart(runStep);
            return;
        }
        for (SegmentPlayer player : players) {
            for (int i = 0; i < player.count(); i++) {
                player.restoreState(i, in);
            }
        }
    }

    /**
     * Begins new episodes.
     *
     * @param runStep number of steps that each environment had taken
     */
    public void restart(long runStep) {
        players.forEach(player -> player.restart(runStep));
    }

    /** Makes normalizers use their {@linkplain #returnMoments moments} once these have been restored. */
    public void refreshNormalizers() {
        agent.observations().refresh();
        rewards.refresh();
    }

    /** The environments, for an evaluation that starts them afresh. */
    public EnvironmentSet environments() {
        return environments;
    }

    /** Moments of the discounted returns, for a checkpoint. */
    public RunningMoments returnMoments() {
        return rewards.moments();
    }

    /** What was played last. */
    public Rollout rollout() {
        return rollout;
    }

    /** The last episodes of training. */
    public RecentEpisodes episodes() {
        return episodes;
    }

    @Override
    public void close() {
        try (environments) {
            rollout.close();
        }
    }
}
