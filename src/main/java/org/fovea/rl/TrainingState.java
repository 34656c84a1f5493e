package org.fovea.rl;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.VectorEnvironment;

/** Everything of a run that changes from iteration to iteration: what a checkpoint holds. */
final class TrainingState implements AutoCloseable {
    private final Backend backend;
    private final RunSpec spec;
    private final Agent agent;
    private final ActorCritic.Context context;
    private final RewardNormalizer rewards;
    private final List<Collector> collectors;
    private final Rollout rollout;
    private final Learner learner;
    private final RecentReturns returns = new RecentReturns();
    private long iteration;

    private TrainingState(
            Backend backend,
            RunSpec spec,
            Agent agent,
            ActorCritic.Context context,
            RewardNormalizer rewards,
            List<Collector> collectors) {
        this.backend = backend;
        this.spec = spec;
        this.agent = agent;
        this.context = context;
        this.rewards = rewards;
        this.collectors = collectors;
        this.rollout = Rollout.allocate(
                backend,
                spec.environments(),
                spec.config().rollout().rolloutSteps(),
                agent.encoder().size(),
                agent.distribution());
        this.learner = Learner.of(spec.config(), agent, rollout, context);
    }

    /** A run before its first step, its environments not yet started. */
    static TrainingState create(Backend backend, RunSpec spec) {
        EnvironmentSpec kind = Environments.get(spec.environment());
        RolloutConfig config = spec.config().rollout();
        int parts = Cut.collectors(backend, spec.environments());
        List<VectorEnvironment> batches = new ArrayList<>(parts);
        for (int part = 0; part < parts; part++) {
            batches.add(kind.create(Cut.size(spec.environments(), parts, part)));
        }
        VectorEnvironment any = batches.get(0);
        Agent agent = new Agent(
                backend, any.observationSpace(), any.actionSpace(), spec.policy(), spec.config(), spec.seed());
        ActorCritic.Context context = agent.network().context(spec.environments(), config.rolloutSteps());
        RewardNormalizer rewards = new RewardNormalizer(config.normalizeRewards(), config.gamma());
        List<Collector> collectors = new ArrayList<>(parts);
        for (int part = 0; part < parts; part++) {
            int first = Cut.start(spec.environments(), parts, part);
            collectors.add(new Collector(
                    agent, context, rewards, batches.get(part), first, config.rolloutSteps(), spec.seed()));
        }
        return new TrainingState(backend, spec, agent, context, rewards, collectors);
    }

    /** Starts the environments. */
    void reset() {
        collectors.forEach(Collector::reset);
    }

    /** Plays the next rollout. */
    void collect() {
        long firstStep = iteration * spec.config().rollout().rolloutSteps();
        backend.forEachShard(collectors.size(), part -> collectors.get(part).collect(rollout, firstStep));
    }

    /** Ends an iteration, after the rollout was learned from. */
    void advance() {
        for (Collector collector : collectors) {
            collector.updateNormalizers();
            returns.add(collector.episodes());
        }
        agent.observations().refresh();
        rewards.refresh();
        context.advance();
        iteration++;
    }

    /** Takes up a run after so many iterations, when all else has been restored. */
    void resumeAt(long doneIterations) {
        agent.observations().refresh();
        rewards.refresh();
        iteration = doneIterations;
    }

    boolean resumesExactly() {
        return collectors.stream().allMatch(Collector::canSaveState);
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

    /** What was played last. */
    Rollout rollout() {
        return rollout;
    }

    RewardNormalizer rewards() {
        return rewards;
    }

    List<Collector> collectors() {
        return collectors;
    }

    Learner learner() {
        return learner;
    }

    RecentReturns returns() {
        return returns;
    }

    /** Iterations done. */
    long iteration() {
        return iteration;
    }

    @Override
    public void close() {
        try (agent;
                context;
                rollout) {
            learner.close();
        }
    }
}
