// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentThreads;
import org.fovea.env.Environments;
import org.fovea.rl.evaluation.Episode;
import org.fovea.rl.evaluation.EpisodeRecorder;
import org.fovea.rl.evaluation.Evaluation;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.EnvironmentPlace;
import org.fovea.rl.rollout.EnvironmentSet;
import org.fovea.rl.rollout.PlaySettings;

/** The policy of a run's checkpoint, and environments that it is to be evaluated in. */
public final class TrainedPolicy implements AutoCloseable {
    private final RunSpec spec;
    private final EvaluationSettings settings;
    private final EnvironmentThreads threads;
    private final EnvironmentSet environments;
    private final Agent agent;

    private TrainedPolicy(
            RunSpec spec,
            EvaluationSettings settings,
            EnvironmentThreads threads,
            EnvironmentSet environments,
            Agent agent) {
        this.spec = spec;
        this.settings = settings;
        this.threads = threads;
        this.environments = environments;
        this.agent = agent;
    }

    /**
     * Reads the policy of the newest checkpoint, and makes the environments.
     *
     * @throws org.fovea.io.CorruptFileException if the checkpoint is damaged
     * @throws IOException if there is none
     */
    public static TrainedPolicy open(Backend backend, Path runDirectory, EvaluationSettings settings)
            throws IOException {
        return open(backend, SavedRun.load(runDirectory), settings);
    }

    /** Takes the policy of a checkpoint, and makes the environments, which step on a thread per core. */
    public static TrainedPolicy open(Backend backend, SavedRun saved, EvaluationSettings settings) throws IOException {
        return open(backend, saved, settings, PlaySettings.DEFAULT);
    }

    /** The same with environments played in another way. */
    public static TrainedPolicy open(Backend backend, SavedRun saved, EvaluationSettings settings, PlaySettings play)
            throws IOException {
        RunSpec spec = saved.spec();
        int count = Math.max(1, Evaluation.environments(settings, spec.environments()));
        EnvironmentThreads threads = new EnvironmentThreads(play.environmentThreads());
        EnvironmentSet environments =
                EnvironmentSet.create(backend, Environments.get(spec.environment()), count, threads, play.place());
        try {
            Agent agent = spec.createAgent(backend, environments.spaces());
            try {
                saved.restore(agent);
                return new TrainedPolicy(spec, settings, threads, environments, agent);
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

    /**
     * Plays the episodes of the settings.
     *
     * @param stop asked before each step
     */
    public EvaluationResult evaluate(Evaluation.Listener listener, BooleanSupplier stop) {
        int segmentSteps = spec.config().rollout().rolloutSteps();
        return Evaluation.play(agent, environments, spec.environments(), segmentSteps, settings, listener, stop);
    }

    /** Plays one episode to be looked at, in an environment of its own that steps in Java. */
    public Episode record(EpisodeRecorder.Settings which) {
        return record(which, () -> false);
    }

    /**
     * The same.
     *
     * @param stop asked before each step but the first; where it is true the episode is cut
     */
    public Episode record(EpisodeRecorder.Settings which, BooleanSupplier stop) {
        try (EnvironmentSet one = EnvironmentSet.create(
                agent.backend(), Environments.get(spec.environment()), 1, threads, EnvironmentPlace.HOST)) {
            return EpisodeRecorder.record(
                    agent, one.batches().get(0), spec.config().rollout().rolloutSteps(), which, stop);
        }
    }

    @Override
    public void close() {
        try (threads;
                environments) {
            agent.close();
        }
    }
}
