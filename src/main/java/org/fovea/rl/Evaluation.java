package org.fovea.rl;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.IntFunction;
import org.fovea.backend.Backend;
import org.fovea.env.Environments;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;

/** Plays a fixed set of episodes with the most likely actions. */
public final class Evaluation {
    /** Seed of the episodes unless another is asked for; far from the small seeds that people train with. */
    public static final long DEFAULT_SEED = 1_000_003;

    private static final int SIDE_BY_SIDE = 64;

    private Evaluation() {}

    /**
     * Plays the policy of a run's newest checkpoint.
     *
     * @param episodes number of episodes, each to its end
     * @throws org.fovea.io.CorruptFileException if the checkpoint is damaged
     * @throws IOException if there is none
     */
    public static EvaluationResult run(Backend backend, Path runDirectory, int episodes, long seed) throws IOException {
        RunState state = RunState.load(runDirectory);
        RunSpec spec = state.spec();
        VectorEnvironment spaces = Environments.get(spec.environment()).create(1);
        try (Agent agent = new Agent(
                backend, spaces.observationSpace(), spaces.actionSpace(), spec.policy(), spec.config(), spec.seed())) {
            state.restore(agent);
            return play(agent, spec, episodes, seed);
        }
    }

    /** Plays {@code episodes} episodes; which ones follows from the seed and their number. */
    static EvaluationResult play(Agent agent, RunSpec spec, int episodes, long seed) {
        if (episodes < 1) {
            throw new IllegalArgumentException("episodes must be at least 1, got " + episodes);
        }
        Backend backend = agent.backend();
        int environments = Math.min(episodes, SIDE_BY_SIDE);
        int segmentSteps = spec.config().rollout().rolloutSteps();
        int shards = Cut.collectors(backend, environments);
        double[] returns = new double[episodes];
        int[] lengths = new int[episodes];
        IntFunction<VectorEnvironment> factory = Environments.get(spec.environment())::create;
        try (ActorCritic.Context context = agent.network().context(environments, segmentSteps)) {
            Player[] players = new Player[shards];
            for (int shard = 0; shard < shards; shard++) {
                int first = Cut.start(environments, shards, shard);
                int count = Cut.size(environments, shards, shard);
                players[shard] =
                        new Player(agent, context, factory.apply(count), first, environments, returns, lengths);
            }
            boolean[] running = new boolean[shards];
            Arrays.fill(running, true);
            for (Player player : players) {
                player.reset(seed);
            }
            while (anyOf(running)) {
                backend.forEachShard(shards, shard -> running[shard] = players[shard].playSegment(segmentSteps));
                context.advance();
            }
        }
        return summarize(returns, lengths);
    }

    private static boolean anyOf(boolean[] flags) {
        for (boolean flag : flags) {
            if (flag) {
                return true;
            }
        }
        return false;
    }

    private static EvaluationResult summarize(double[] returns, int[] lengths) {
        double mean = Arrays.stream(returns).average().orElseThrow();
        double variance = Arrays.stream(returns)
                .map(value -> (value - mean) * (value - mean))
                .average()
                .orElseThrow();
        long steps = Arrays.stream(lengths).asLongStream().sum();
        return new EvaluationResult(
                returns.length,
                mean,
                Math.sqrt(variance),
                Arrays.stream(returns).min().orElseThrow(),
                Arrays.stream(returns).max().orElseThrow(),
                (double) steps / returns.length,
                steps);
    }

    /** Some of the environments; environment i plays episodes i, i + environments, i + 2 environments and so on. */
    private static final class Player {
        private final VectorEnvironment environment;
        private final PolicyRunner policy;
        private final int first;
        private final int count;
        private final int environments;
        private final double[] returns;
        private final int[] lengths;
        private final StepBatch result;
        private final float[] observations;
        private final int[] episodeSteps;
        private final double[] episodeReturns;
        private final int[] nextEpisode;
        private int unfinished;

        Player(
                Agent agent,
                ActorCritic.Context context,
                VectorEnvironment environment,
                int first,
                int environments,
                double[] returns,
                int[] lengths) {
            this.environment = environment;
            this.first = first;
            this.count = environment.count();
            this.environments = environments;
            this.returns = returns;
            this.lengths = lengths;
            this.policy = new PolicyRunner(agent, context, first, count);
            int size = environment.observationSpace().size();
            this.result = StepBatch.allocate(count, size);
            this.observations = new float[count * size];
            this.episodeSteps = new int[count];
            this.episodeReturns = new double[count];
            this.nextEpisode = new int[count];
        }

        void reset(long seed) {
            environment.reset(seed, first, observations);
            for (int i = 0; i < count; i++) {
                nextEpisode[i] = first + i;
            }
            unfinished = count;
        }

        /** Whether episodes remain to be played. */
        boolean playSegment(int steps) {
            policy.beginSegment(episodeSteps);
            for (int step = 0; step < steps && unfinished > 0; step++) {
                policy.show(observations, episodeSteps);
                policy.chooseBest(step, episodeSteps);
                environment.step(policy.choices(), policy.actions(), result);
                System.arraycopy(result.observations(), 0, observations, 0, observations.length);
                for (int i = 0; i < count; i++) {
                    episodeReturns[i] += result.rewards()[i];
                    episodeSteps[i]++;
                    if (result.terminated()[i] || result.truncated()[i]) {
                        ended(i);
                    }
                }
            }
            policy.endSegment();
            return unfinished > 0;
        }

        private void ended(int i) {
            if (nextEpisode[i] < returns.length) {
                returns[nextEpisode[i]] = episodeReturns[i];
                lengths[nextEpisode[i]] = episodeSteps[i];
                nextEpisode[i] += environments;
                if (nextEpisode[i] >= returns.length) {
                    unfinished--;
                }
            }
            episodeReturns[i] = 0;
            episodeSteps[i] = 0;
        }
    }
}
