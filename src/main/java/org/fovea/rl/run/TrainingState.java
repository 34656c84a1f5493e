// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import org.fovea.backend.Backend;
import org.fovea.collective.Collective;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.EnvironmentThreads;
import org.fovea.env.Environments;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.learner.ExplainedVariance;
import org.fovea.rl.learner.Learner;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.Collector;
import org.fovea.rl.rollout.EnvironmentPlace;
import org.fovea.rl.rollout.EnvironmentSet;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.rollout.StopSignal;

/** Everything of a run that changes from iteration to iteration: what a checkpoint holds. */
final class TrainingState implements AutoCloseable {
    private final Backend backend;
    private final RunSpec spec;
    private final Collective collective;
    private final EnvironmentThreads threads;
    private final Agent agent;
    private final ActorCritic.Context context;
    private final Collector collector;
    private final Learner learner;
    private final ExplainedVariance explainedVariance;
    private final PlaySettings play;
    private long iteration;

    private TrainingState(
            Backend backend,
            RunSpec spec,
            EnvironmentThreads threads,
            EnvironmentSet environments,
            PlaySettings play,
            Collective collective) {
        this.collective = collective;
        this.backend = backend;
        this.spec = spec;
        this.threads = threads;
        this.play = play;
        this.agent = spec.createAgent(backend, environments.spaces());
        RolloutConfig rollout = spec.config().rollout();
        this.context = agent.network().context(spec.environmentsPerGroup(), rollout.rolloutSteps(), rollout.burnIn());
        this.collector = new Collector(agent, context, environments, rollout, play.overlap(), collective, spec.seed());
        this.learner = spec.config().learner(agent, collector.rollout(), context, collective);
        this.explainedVariance = new ExplainedVariance(collector.rollout().rows(), collective);
    }

    /**
     * A member of a run before its first step, its environments not yet started.
     *
     * @param collective the members, one for each group of environments
     * @throws IllegalArgumentException if there is not enough memory for it
     */
    static TrainingState create(Backend backend, RunSpec spec, PlaySettings play, Collective collective) {
        if (collective.size() != spec.groups()) {
            throw new IllegalArgumentException("the environments of this run are in " + spec.groups()
                    + " groups, which takes as many members, got " + collective.size());
        }
        EnvironmentSpec kind = Environments.get(spec.environment());
        MemoryRequirement.of(backend, ofMember(spec), kind.spaces()).check();
        EnvironmentThreads threads = new EnvironmentThreads(play.environmentThreads());
        EnvironmentSet environments =
                EnvironmentSet.create(backend, kind, spec.environmentsPerGroup(), threads, play.place());
        try {
            return new TrainingState(backend, spec, threads, environments, play, collective);
        } catch (RuntimeException | Error failure) {
            try (environments) {
                throw failure;
            }
        }
    }

    /** The only member of a run, before its first step. */
    static TrainingState create(Backend backend, RunSpec spec, PlaySettings play) {
        return create(backend, spec, play, Collective.single());
    }

    private static RunSpec ofMember(RunSpec spec) {
        return spec.withGroups(1).withEnvironments(spec.environmentsPerGroup());
    }

    /** All members of the run. */
    Collective collective() {
        return collective;
    }

    /**
     * Plays the next rollout.
     *
     * @return whether it is complete: if not, the environments are somewhere within it
     */
    boolean collect(StopSignal stop) {
        return collector.collect(iteration * spec.config().rollout().rolloutSteps(), stop);
    }

    /** Ends an iteration, after the rollout was learned from. */
    void advance() {
        collector.advance();
        context.advance();
        iteration++;
    }

    /** Resumes a run after that many iterations, when all else has been restored. */
    void resumeAt(long doneIterations) {
        collector.refreshNormalizers();
        iteration = doneIterations;
    }

    RunSpec spec() {
        return spec;
    }

    Backend backend() {
        return backend;
    }

    Agent agent() {
        return agent;
    }

    ActorCritic.Context context() {
        return context;
    }

    /** Other environments of the kind that is trained on, played in the same way. */
    EnvironmentSet newEnvironments(int count) {
        return newEnvironments(count, play.place());
    }

    /** Other environments of the kind that is trained on. */
    EnvironmentSet newEnvironments(int count, EnvironmentPlace place) {
        return EnvironmentSet.create(backend, Environments.get(spec.environment()), count, threads, place);
    }

    /** Threads of all environments of the run. */
    EnvironmentThreads threads() {
        return threads;
    }

    Collector collector() {
        return collector;
    }

    Learner learner() {
        return learner;
    }

    /** Of the values in the rollout played last, after it was learned from. */
    double explainedVariance() {
        return explainedVariance.of(backend, collector.rollout());
    }

    /** Iterations done. */
    long iteration() {
        return iteration;
    }

    @Override
    public void close() {
        try (agent;
                context;
                threads;
                collector) {
            learner.close();
        }
    }
}
