package org.fovea.rl.run;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.config.AlgorithmConfig;
import org.fovea.rl.config.PpoConfig;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.config.TrpoConfig;
import org.fovea.rl.learner.ExplainedVariance;
import org.fovea.rl.learner.Learner;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.ppo.Ppo;
import org.fovea.rl.rollout.Collector;
import org.fovea.rl.rollout.CollectorPartition;
import org.fovea.rl.rollout.EnvironmentSet;
import org.fovea.rl.rollout.RewardNormalizer;
import org.fovea.rl.rollout.Rollout;
import org.fovea.rl.rollout.Stop;
import org.fovea.rl.trpo.Trpo;

/** Everything of a run that changes from iteration to iteration: what a checkpoint holds. */
public final class TrainingState implements AutoCloseable {
    private final Backend backend;
    private final RunSpec spec;
    private final Agent agent;
    private final ActorCritic.Context context;
    private final EnvironmentSet environments;
    private final RewardNormalizer rewards;
    private final List<Collector> collectors;
    private final Rollout rollout;
    private final Learner learner;
    private final RecentEpisodes episodes = new RecentEpisodes();
    private final ExplainedVariance explainedVariance;
    private long iteration;
    private boolean exact;

    /** Whether the normalizer took in the observations of the rollout while it was played. */
    private boolean observationsIncluded;

    private TrainingState(
            Backend backend,
            RunSpec spec,
            Agent agent,
            ActorCritic.Context context,
            EnvironmentSet environments,
            RewardNormalizer rewards,
            List<Collector> collectors) {
        this.backend = backend;
        this.spec = spec;
        this.agent = agent;
        this.context = context;
        this.environments = environments;
        this.rewards = rewards;
        this.collectors = collectors;
        this.rollout = Rollout.allocate(
                backend,
                spec.environments(),
                spec.config().rollout().rolloutSteps(),
                agent.encoder().size(),
                agent.distribution());
        this.learner = learner(spec.config(), agent, rollout, context);
        this.exact = collectors.stream().allMatch(Collector::canSaveState);
        this.explainedVariance = new ExplainedVariance(rollout.rows());
    }

    private static Learner learner(AlgorithmConfig config, Agent agent, Rollout rollout, ActorCritic.Context context) {
        return switch (config.algorithm()) {
            case PPO -> new Ppo((PpoConfig) config, agent, rollout, context);
            case TRPO -> new Trpo((TrpoConfig) config, agent, rollout, context);
        };
    }

    /**
     * A run before its first step, its environments not yet started.
     *
     * @throws IllegalArgumentException if there is not enough memory for it
     */
    public static TrainingState create(Backend backend, RunSpec spec) {
        EnvironmentSpec kind = Environments.get(spec.environment());
        MemoryNeed.of(backend, spec, kind.spaces()).require();
        EnvironmentSet environments =
                new EnvironmentSet(kind.createAll(CollectorPartition.sizes(backend, spec.environments())));
        try {
            return create(backend, spec, environments);
        } catch (RuntimeException | Error failure) {
            try (environments) {
                throw failure;
            }
        }
    }

    private static TrainingState create(Backend backend, RunSpec spec, EnvironmentSet environments) {
        RolloutConfig config = spec.config().rollout();
        VectorEnvironment any = environments.batches().get(0);
        Agent agent = new Agent(
                backend, any.observationSpace(), any.actionSpace(), spec.policy(), spec.config(), spec.seed());
        ActorCritic.Context context = agent.network().context(spec.environments(), config.rolloutSteps());
        RewardNormalizer rewards = new RewardNormalizer(config.normalizeRewards(), config.gamma());
        List<Collector> collectors = new ArrayList<>();
        int first = 0;
        for (VectorEnvironment batch : environments.batches()) {
            collectors.add(new Collector(agent, context, rewards, batch, first, config.rolloutSteps(), spec.seed()));
            first += batch.count();
        }
        return new TrainingState(backend, spec, agent, context, environments, rewards, collectors);
    }

    /** Starts the environments. */
    public void reset() {
        collectors.forEach(Collector::reset);
    }

    /**
     * Plays the next rollout.
     *
     * @return whether it is complete: if not, the environments stand somewhere in its midst
     */
    public boolean collect(Stop stop) {
        long firstStep = iteration * spec.config().rollout().rolloutSteps();
        observationsIncluded = agent.observations().isBlind();
        boolean complete = observationsIncluded
                ? collectStepByStep(firstStep, stop)
                : forEachCollector(stop, collector -> collector.collect(rollout, firstStep, stop));
        if (!complete) {
            return false;
        }
        collectors.forEach(Collector::includeRewards);
        rewards.refresh();
        collectors.forEach(collector -> collector.uploadRewards(rollout));
        return true;
    }

    /** The first rollout: collectors keep step, so that the moments of observations are the same however they are cut. */
    private boolean collectStepByStep(long firstStep, Stop stop) {
        collectors.forEach(Collector::begin);
        for (int step = 0; step < rollout.steps(); step++) {
            collectors.forEach(Collector::includeObservations);
            agent.observations().refresh();
            int played = step;
            boolean complete = forEachCollector(stop, collector -> {
                if (stop.now()) {
                    return false;
                }
                collector.play(played, firstStep + played);
                stop.played(collector.count());
                return true;
            });
            if (!complete) {
                return false;
            }
        }
        collectors.forEach(collector -> collector.finish(rollout));
        return true;
    }

    /** Whether every collector completed its work. */
    private boolean forEachCollector(Stop stop, Predicate<Collector> work) {
        boolean[] complete = new boolean[collectors.size()];
        backend.forEachShard(
                collectors.size(), part -> stop.unlessItFails(() -> complete[part] = work.test(collectors.get(part))));
        for (boolean part : complete) {
            if (!part) {
                return false;
            }
        }
        return true;
    }

    /** Share of the time of playing that environments took for their steps. */
    double environmentShare() {
        double inEnvironments =
                collectors.stream().mapToLong(Collector::environmentNanos).sum();
        return inEnvironments / collectors.stream().mapToLong(Collector::nanos).sum();
    }

    /** Ends an iteration, after the rollout was learned from. */
    public void advance() {
        for (Collector collector : collectors) {
            if (!observationsIncluded) {
                collector.includeSegment();
            }
            episodes.add(collector.episodes());
            episodes.sawSteps(collector.longestEpisode());
        }
        agent.observations().refresh();
        context.advance();
        iteration++;
    }

    /** Takes up a run after so many iterations, when all else has been restored. */
    void resumeAt(long doneIterations) {
        agent.observations().refresh();
        rewards.refresh();
        iteration = doneIterations;
    }

    /** Whether a run that was taken up from a checkpoint of this one goes on as this one does. */
    boolean resumesExactly() {
        return exact;
    }

    /** Writes the state of every environment, in an order that does not depend on how they are cut. */
    void saveEnvironments(DataOutput out) throws IOException {
        boolean canSave = collectors.stream().allMatch(Collector::canSaveState);
        out.writeBoolean(canSave);
        if (canSave) {
            for (Collector collector : collectors) {
                for (int i = 0; i < collector.count(); i++) {
                    collector.saveState(i, out);
                }
            }
        }
    }

    /**
     * Restores what was saved. Environments that could not save their state are started anew.
     *
     * @param runStep number of steps that each environment had taken
     */
    void restoreEnvironments(DataInput in, long runStep) throws IOException {
        exact &= in.readBoolean();
        for (Collector collector : collectors) {
            if (!exact) {
                collector.restart(runStep);
                continue;
            }
            for (int i = 0; i < collector.count(); i++) {
                collector.restoreState(i, in);
            }
        }
    }

    List<VectorEnvironment> environments() {
        return environments.batches();
    }

    RunSpec spec() {
        return spec;
    }

    public Backend backend() {
        return backend;
    }

    public Agent agent() {
        return agent;
    }

    public ActorCritic.Context context() {
        return context;
    }

    /** What was played last. */
    public Rollout rollout() {
        return rollout;
    }

    RewardNormalizer rewards() {
        return rewards;
    }

    public Learner learner() {
        return learner;
    }

    public RecentEpisodes episodes() {
        return episodes;
    }

    /** Of the values in the rollout played last, after it was learned from. */
    double explainedVariance() {
        return explainedVariance.of(backend, rollout);
    }

    /** Iterations done. */
    long iteration() {
        return iteration;
    }

    @Override
    public void close() {
        try (environments;
                agent;
                context;
                rollout) {
            learner.close();
        }
    }
}
