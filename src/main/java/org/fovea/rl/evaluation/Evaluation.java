// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.backend.Partition;
import org.fovea.collective.Collective;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.evaluation.EvaluationResult.End;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.EnvironmentSet;
import org.fovea.rl.rollout.StopSignal;

/**
 * Plays a fixed set of episodes, with the most likely actions or with actions drawn from the policy. Environment e of E plays
 * episodes e, e + E, e + 2 E and so on.
 */
public final class Evaluation {
    private static final int SIDE_BY_SIDE = 64;

    private Evaluation() {}

    /** Called by any of the threads that play, again and again. */
    public interface Listener {
        /**
         * Called after some steps.
         *
         * @param episodes that have ended
         * @param total episodes to be played
         * @param steps played so far
         */
        default void evaluating(int episodes, int total, long steps) {}
    }

    /** Environments that an evaluation needs, E: at most as many as a run has, 64 and one per episode. */
    public static int environments(EvaluationSettings settings, int ofRun) {
        return Math.min(Math.min(settings.episodes(), SIDE_BY_SIDE), ofRun);
    }

    /** {@link #play(Agent, EnvironmentSet, int, int, EvaluationSettings, Listener, BooleanSupplier, Collective)} by one alone. */
    public static EvaluationResult play(
            Agent agent,
            EnvironmentSet set,
            int ofRun,
            int segmentSteps,
            EvaluationSettings settings,
            Listener listener,
            BooleanSupplier stop) {
        return play(agent, set, ofRun, segmentSteps, settings, listener, stop, Collective.single());
    }

    /** Which of the environments of an evaluation a member plays: so many, from the first on. */
    public static int environmentsOf(Collective collective, EvaluationSettings settings, int ofRun) {
        return Partition.size(environments(settings, ofRun), collective.rank(), collective.size());
    }

    /**
     * Plays the episodes. Of several members each plays those of some of the environments, and all have the same result: that of one who
     * plays them all.
     *
     * @param set at least as many environments as this member plays; they are reset
     * @param ofRun environments that the run has
     * @param segmentSteps steps after which an agent's memory advances, as in training
     * @param stop asked before each step
     * @param collective those who play
     */
    public static EvaluationResult play(
            Agent agent,
            EnvironmentSet set,
            int ofRun,
            int segmentSteps,
            EvaluationSettings settings,
            Listener listener,
            BooleanSupplier stop,
            Collective collective) {
        if (settings.episodes() == 0) {
            return EvaluationResult.none(0, End.COMPLETE);
        }
        int environments = environments(settings, ofRun);
        List<VectorEnvironment> needed = new ArrayList<>();
        int mine = environmentsOf(collective, settings, ofRun);
        int firstOfMine = Partition.start(environments, collective.rank(), collective.size());
        int count = 0;
        for (int i = 0; count < mine; i++) {
            needed.add(set.batches().get(i));
            count += set.batches().get(i).count();
        }
        Backend backend = agent.backend();
        StopSignal signal = new StopSignal(stop);
        EpisodeTable table = new EpisodeTable(settings, environments, listener, signal);
        List<EvaluationPlayer> players = new ArrayList<>();
        // A member without an environment has nothing to remember.
        try (ActorCritic.Context context = agent.network().context(Math.max(1, count), segmentSteps, 0)) {
            int first = 0;
            for (VectorEnvironment batch : needed) {
                players.add(new EvaluationPlayer(agent, context, batch, first, firstOfMine, firstOfMine + mine, table));
                first += batch.count();
            }
            int running = signal.count(
                    backend, players.size(), part -> players.get(part).reset());
            while (running > 0) {
                running = signal.count(
                        backend, players.size(), part -> players.get(part).playSegment(segmentSteps));
                context.advance();
            }
        } finally {
            players.forEach(EvaluationPlayer::close);
        }
        table.exchange(collective);
        return table.summarize();
    }
}
