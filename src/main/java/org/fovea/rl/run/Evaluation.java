package org.fovea.rl.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.env.Environments;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.evaluation.EpisodeTable;
import org.fovea.rl.evaluation.EvaluationPlayer;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationResult.End;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.evaluation.Progress;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.CollectorPartition;
import org.fovea.rl.rollout.EnvironmentSet;

/**
 * Plays a fixed set of episodes, with the most likely actions or with actions drawn from the policy. Environment e of E plays
 * episodes e, e + E, e + 2 E and so on, with E the number of the run's environments, 64 or fewer.
 */
public final class Evaluation implements AutoCloseable {
    private static final int SIDE_BY_SIDE = 64;

    private final RunSpec spec;
    private final EvaluationSettings settings;
    private final EnvironmentSet environments;
    private final Agent agent;

    private Evaluation(RunSpec spec, EvaluationSettings settings, EnvironmentSet environments, Agent agent) {
        this.spec = spec;
        this.settings = settings;
        this.environments = environments;
        this.agent = agent;
    }

    /**
     * Takes the policy of a run's newest checkpoint, and makes the environments that it is to be played in.
     *
     * @throws org.fovea.io.CorruptFileException if the checkpoint is damaged
     * @throws IOException if there is none
     */
    public static Evaluation open(Backend backend, Path runDirectory, EvaluationSettings settings) throws IOException {
        RunState state = RunState.load(runDirectory);
        RunSpec spec = state.spec();
        int count = Math.max(1, environments(spec, settings));
        EnvironmentSet environments = new EnvironmentSet(
                Environments.get(spec.environment()).createAll(CollectorPartition.sizes(backend, count)));
        try {
            VectorEnvironment any = environments.batches().get(0);
            Agent agent = new Agent(
                    backend, any.observationSpace(), any.actionSpace(), spec.policy(), spec.config(), spec.seed());
            try {
                state.restore(agent);
                return new Evaluation(spec, settings, environments, agent);
            } catch (IOException | RuntimeException | Error failure) {
                try (agent) {
                    throw failure;
                }
            }
        } catch (IOException | RuntimeException | Error failure) {
            try (environments) {
                throw failure;
            }
        }
    }

    /** Plays the policy of a run's newest checkpoint: {@link #open} and {@link #play}. */
    public static EvaluationResult run(
            Backend backend,
            Path runDirectory,
            EvaluationSettings settings,
            Progress.Listener listener,
            BooleanSupplier stop)
            throws IOException {
        try (Evaluation evaluation = open(backend, runDirectory, settings)) {
            return evaluation.play(listener, stop);
        }
    }

    /**
     * Plays the episodes.
     *
     * @param stop asked before each step
     */
    public EvaluationResult play(Progress.Listener listener, BooleanSupplier stop) {
        return play(agent, spec, environments.batches(), settings, listener, stop);
    }

    @Override
    public void close() {
        try (environments) {
            agent.close();
        }
    }

    private static int environments(RunSpec spec, EvaluationSettings settings) {
        return Math.min(Math.min(settings.episodes(), SIDE_BY_SIDE), spec.environments());
    }

    /**
     * Plays episodes.
     *
     * @param batches at least as many environments as are needed; they are started afresh
     */
    static EvaluationResult play(
            Agent agent,
            RunSpec spec,
            List<VectorEnvironment> batches,
            EvaluationSettings settings,
            Progress.Listener listener,
            BooleanSupplier stop) {
        if (settings.episodes() == 0) {
            return EvaluationResult.none(0, End.COMPLETE);
        }
        int environments = environments(spec, settings);
        List<VectorEnvironment> needed = new ArrayList<>();
        int count = 0;
        for (int i = 0; count < environments; i++) {
            needed.add(batches.get(i));
            count += batches.get(i).count();
        }
        Backend backend = agent.backend();
        int segmentSteps = spec.config().rollout().rolloutSteps();
        EpisodeTable table = new EpisodeTable(settings, environments, listener, stop);
        try (ActorCritic.Context context = agent.network().context(count, segmentSteps)) {
            List<EvaluationPlayer> players = new ArrayList<>();
            int first = 0;
            for (VectorEnvironment batch : needed) {
                players.add(new EvaluationPlayer(agent, context, batch, first, table));
                first += batch.count();
            }
            boolean[] running = new boolean[players.size()];
            Arrays.fill(running, true);
            backend.forEachShard(
                    players.size(),
                    shard -> table.unlessItFails(
                            () -> running[shard] = players.get(shard).reset()));
            while (anyOf(running)) {
                backend.forEachShard(
                        players.size(),
                        shard -> table.unlessItFails(
                                () -> running[shard] = players.get(shard).playSegment(segmentSteps)));
                context.advance();
            }
        }
        return table.summarize();
    }

    private static boolean anyOf(boolean[] flags) {
        for (boolean flag : flags) {
            if (flag) {
                return true;
            }
        }
        return false;
    }
}
