// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.fovea.backend.Backend;
import org.fovea.backend.DeviceCalls;
import org.fovea.collective.Collective;
import org.fovea.env.JoinedBatch;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.RunningMoments;
import org.fovea.rl.rollout.PlaySettings.Overlap;

/**
 * Plays the environments of a run and fills a rollout. Each of its players has some of them and plays its segment by itself; or,
 * where steps of the environments take long, they take turns: while the environments of one turn step, the policy acts in those of
 * the other.
 */
public final class Collector implements AutoCloseable {
    /** Where there is one player, each turn computes for both: then taking turns pays if steps take longer than that. */
    private static final double TWICE = 2;

    /** What a step of all must take for turns to pay: with one player, and with several, which overlap as it is. */
    private static final double SLOW_NANOS = 200_000;

    private static final double SLOW_NANOS_OF_SEVERAL = 2_000_000;

    private final Backend backend;
    private final Agent agent;
    private final EnvironmentSet environments;
    private final Collective collective;
    private final RewardNormalizer rewards;
    private final List<SegmentPlayer> players = new ArrayList<>();
    private final Rollout rollout;
    private final RecentEpisodes episodes = new RecentEpisodes();
    private final Overlap overlap;

    /** Each is played by some of the players, or by halves of a single one; fewer than two if there are no turns to take. */
    private final List<List<SegmentPlayer.Turn>> turns;

    private boolean exact;

    /** Time of collecting, and of that in which environments stepped. */
    private long nanos;

    private long environmentNanos;
    private long steppedUntil = Long.MIN_VALUE;

    /** Of the rollouts after the first, in which steps are captured. */
    private long costlyNanos;

    private long costlyRollouts;
    private DeviceCalls costlyCalls = DeviceCalls.NONE;

    /** What a player's step took in the last rollout, of the environments and of the policy. */
    private double steppingNanos;

    private double actingNanos;

    /** Whether the normalizer took in the observations of the rollout while it was played. */
    private boolean observationsIncluded;

    /**
     * Environments that are yet to be started.
     *
     * @param environments closed with this
     * @param collective the members of the run, each of which plays as many environments: the next after those of the member before
     * @param seed of the run
     */
    public Collector(
            Agent agent,
            ActorCritic.Context context,
            EnvironmentSet environments,
            RolloutConfig config,
            Overlap overlap,
            Collective collective,
            long seed) {
        this.backend = agent.backend();
        this.agent = agent;
        this.environments = environments;
        this.collective = collective;
        this.rewards = new RewardNormalizer(config.normalizeRewards(), config.gamma(), collective);
        if (collective.size() > 1) {
            agent.observations().shareBy(collective::gather);
        }
        int count = environments.batches().stream().mapToInt(JoinedBatch::count).sum();
        this.rollout = Rollout.allocate(
                backend, count, config.rolloutSteps(), agent.encoder().size(), agent.distribution());
        int firstOfRun = collective.rank() * count;
        int first = 0;
        for (JoinedBatch batch : environments.batches()) {
            players.add(new SegmentPlayer(agent, context, rewards, rollout, batch, first, firstOfRun, seed));
            first += batch.count();
        }
        this.overlap = overlap;
        this.turns = turns(players);
        this.exact = allCanSaveState();
    }

    private static List<List<SegmentPlayer.Turn>> turns(List<SegmentPlayer> players) {
        if (players.size() == 1) {
            return players.get(0).turns(true).stream().map(List::of).toList();
        }
        List<SegmentPlayer.Turn> all =
                players.stream().flatMap(player -> player.turns(false).stream()).toList();
        int half = all.size() / 2;
        return List.of(all.subList(0, half), all.subList(half, all.size()));
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
        long start = System.nanoTime();
        DeviceCalls before = backend.calls();
        boolean inTurns = !observationsIncluded && turnsPay();
        boolean complete = observationsIncluded
                ? collectStepByStep(firstStep, stop)
                : inTurns
                        ? collectInTurns(firstStep, stop)
                        : forEach(players, stop, player -> player.collect(firstStep, stop));
        if (!all(complete)) {
            return false;
        }
        tookTime(System.nanoTime() - start, inTurns);
        addCost(backend.calls().since(before));
        players.forEach(player -> player.includeRewards(rewards));
        rewards.exchange();
        rewards.refresh();
        players.forEach(player -> player.normalizeRewards(rewards));
        return true;
    }

    /** The first rollout: players of all members keep step, so that the moments of observations are the same however they are cut. */
    private boolean collectStepByStep(long firstStep, StopSignal stop) {
        players.forEach(player -> player.begin(firstStep));
        for (int step = 0; step < rollout.steps(); step++) {
            int played = step;
            players.forEach(player -> player.includeObservations(played));
            agent.observations().exchange();
            agent.observations().refresh();
            if (!all(forEach(players, stop, player -> player.play(played, firstStep + played, stop)))) {
                return false;
            }
        }
        players.forEach(SegmentPlayer::finish);
        return true;
    }

    /** Whether taking turns is wanted and pays, by what the last rollout took. It makes no difference to what is played. */
    private boolean turnsPay() {
        if (overlap == Overlap.OFF || turns.size() < 2) {
            return false;
        }
        return overlap == Overlap.ON
                || (players.size() == 1
                        ? steppingNanos > Math.max(SLOW_NANOS, TWICE * actingNanos)
                        : steppingNanos > SLOW_NANOS_OF_SEVERAL);
    }

    private boolean collectInTurns(long firstStep, StopSignal stop) {
        players.forEach(player -> player.begin(firstStep));
        try {
            for (int step = 0; step < rollout.steps(); step++) {
                int played = step;
                for (List<SegmentPlayer.Turn> turn : turns) {
                    if (!forEach(turn, stop, one -> one.play(played, firstStep + played, stop))) {
                        return false;
                    }
                    stepped(turn);
                }
            }
            int last = rollout.steps() - 1;
            for (List<SegmentPlayer.Turn> turn : turns) {
                turn.forEach(one -> one.end(last, firstStep + last, stop));
                turn.forEach(SegmentPlayer.Turn::receive);
                stepped(turn);
            }
        } finally {
            // Environments that are within a step can be neither saved nor closed.
            turns.forEach(turn -> turn.forEach(SegmentPlayer.Turn::settle));
        }
        players.forEach(SegmentPlayer::finishTurns);
        return true;
    }

    /** Adds the time that the environments of a turn took for the step that they ended last, but for what the other's took too. */
    private void stepped(List<SegmentPlayer.Turn> turn) {
        for (SegmentPlayer.Turn one : turn) {
            environmentNanos += Math.max(0, one.endedNanos() - Math.max(one.startedNanos(), steppedUntil));
            steppedUntil = Math.max(steppedUntil, one.endedNanos());
        }
    }

    /** Notes what the rollout that was played took. */
    private void tookTime(long ofAll, boolean inTurns) {
        double stepping = 0;
        double acting = 0;
        for (SegmentPlayer player : players) {
            stepping += player.environmentNanos();
            acting += player.actingNanos();
        }
        double steps = (double) players.size() * rollout.steps();
        steppingNanos = stepping / steps;
        // With one player, whoever's turn it is computes for both.
        actingNanos = acting / (inTurns && players.size() == 1 ? TWICE * steps : steps);
        nanos += ofAll;
        if (!inTurns) {
            environmentNanos += (long) (ofAll * stepping / (stepping + acting));
        }
    }

    private void addCost(DeviceCalls calls) {
        if (costlyRollouts++ > 0) {
            costlyCalls = costlyCalls.plus(calls);
            costlyNanos +=
                    players.stream().mapToLong(SegmentPlayer::actingNanos).sum();
        }
    }

    /** What steps of a player's environments cost, but for those of the first rollout. */
    public StepCost stepCost() {
        double steps = (double) (costlyRollouts - 1) * rollout.steps() * players.size();
        return new StepCost(
                costlyCalls.launches() / steps,
                costlyCalls.waits() / steps,
                (costlyNanos - costlyCalls.waitNanos()) / steps);
    }

    /** Whether each completed its work. */
    private <T> boolean forEach(List<T> all, StopSignal stop, Predicate<T> work) {
        return stop.count(backend, all.size(), part -> work.test(all.get(part))) == all.size();
    }

    /** Ends an iteration, after the rollout was learned from. */
    public void advance() {
        for (SegmentPlayer player : players) {
            if (!observationsIncluded) {
                player.includeSegment();
            }
        }
        if (collective.size() == 1) {
            for (SegmentPlayer player : players) {
                episodes.add(player.episodes());
                episodes.sawSteps(player.longestEpisode());
            }
        } else {
            addEpisodesOfAll();
        }
        if (!observationsIncluded) {
            agent.observations().exchange();
        }
        agent.observations().refresh();
    }

    /** Keeps score of the episodes of all members, in the order of environments. */
    private void addEpisodesOfAll() {
        EpisodeLog log = new EpisodeLog();
        int longest = 0;
        for (SegmentPlayer player : players) {
            log.addAll(player.episodes());
            longest = Math.max(longest, player.longestEpisode());
        }
        for (double[] ofMember : collective.gather(log.save(longest))) {
            episodes.add(EpisodeLog.restore(ofMember));
            episodes.sawSteps((int) ofMember[0]);
        }
    }

    /** Whether {@code own} is true for all members. */
    private boolean all(boolean own) {
        if (collective.size() == 1) {
            return own;
        }
        boolean all = true;
        for (byte[] ofMember : collective.gather(new byte[] {(byte) (own ? 1 : 0)})) {
            all &= ofMember[0] == 1;
        }
        return all;
    }

    private boolean allCanSaveState() {
        return all(players.stream().allMatch(SegmentPlayer::canSaveState));
    }

    /** Whether a run that is resumed from a checkpoint of this one continues as this one does. */
    public boolean resumesExactly() {
        return exact;
    }

    /** Writes the state of every environment, in an order that does not depend on how they are cut. */
    public void saveEnvironments(DataOutput out) throws IOException {
        boolean canSave = allCanSaveState();
        out.writeBoolean(canSave);
        if (canSave) {
            for (SegmentPlayer player : players) {
                player.saveStates(out);
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
            player.restoreStates(in);
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

    /** Share of the time of playing in which environments stepped. */
    public double environmentShare() {
        return (double) environmentNanos / nanos;
    }

    @Override
    public void close() {
        try (environments) {
            players.forEach(SegmentPlayer::close);
            rollout.close();
        }
    }
}
