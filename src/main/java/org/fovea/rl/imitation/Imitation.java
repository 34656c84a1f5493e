// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.optim.Adam;
import org.fovea.rl.imitation.ImitationResult.Fit;
import org.fovea.rl.learner.MinibatchOrder;
import org.fovea.rl.learner.Shards;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.GaussianActions;
import org.fovea.rl.policy.RunningMoments;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * Makes an agent act as recorded episodes do, and value what it sees by the returns that they reached. The loss of a step is {@link
 * org.fovea.rl.policy.ActionDistribution#imitationLoss}, and half the squared error of the value in units of the returns' spread.
 */
public final class Imitation implements AutoCloseable {
    /** Most episodes that are followed side by side. */
    private static final int LANES = 32;

    private static final int MINIBATCHES = 4;
    private static final double VALUE_COEFFICIENT = 0.5;
    private static final float MAX_GRADIENT_NORM = 1;

    /** Smallest standard deviation that actions are left with, so that training can go on from there. */
    private static final double SMALLEST_STD = 0.05;

    private final Backend backend;
    private final Agent agent;
    private final ImitationSettings settings;
    private final List<Replay.Demonstration> learned = new ArrayList<>();
    private final List<Replay.Demonstration> heldOut = new ArrayList<>();

    /** One over the variance of the returns; 0 where there are none. */
    private final double valueWeight;

    private final Replay replay;
    private final MinibatchOrder order;
    private final Shards shards;
    private final Adam adam;

    /**
     * Prepares an agent, whose normaliser takes in the observations.
     *
     * @param recording of the agent's environment
     * @param gamma by which later rewards count less
     * @param normalizeRewards whether the values are those of rewards divided by the standard deviation of the discounted return
     * @param segmentSteps that memory is carried through at a time
     * @param burnIn steps before a segment that memory is recomputed through
     */
    public Imitation(
            Agent agent,
            Recording recording,
            ImitationSettings settings,
            float gamma,
            boolean normalizeRewards,
            int segmentSteps,
            int burnIn) {
        this.backend = agent.backend();
        this.agent = agent;
        this.settings = settings;
        List<Recording.Episode> episodes = new ArrayList<>(recording.episodes());
        Collections.shuffle(episodes, new Random(settings.seed()));
        int out = settings.heldOut() == 0 ? 0 : Math.max(1, (int) Math.round(settings.heldOut() * episodes.size()));
        if (out >= episodes.size()) {
            throw new IllegalArgumentException("of " + episodes.size()
                    + (episodes.size() == 1 ? " episode" : " episodes")
                    + " none can be held out: record more, or learn without by --held-out 0");
        }
        double scale = returnScale(recording, gamma, normalizeRewards);
        for (Recording.Episode episode : episodes) {
            int steps = recording.steps(episode);
            float[] actions =
                    agent.bounds() == null ? new float[0] : agent.bounds().drawn(episode.numbers());
            Replay.Demonstration demonstration =
                    new Replay.Demonstration(episode, actions, returns(episode, steps, gamma, scale), steps);
            (heldOut.size() < out ? heldOut : learned).add(demonstration);
            if (agent.observations().enabled()) {
                agent.observations().include(episode.observations(), steps);
            }
        }
        agent.observations().refresh();
        this.valueWeight = recording.hasRewards() ? 1 / Math.max(1e-6, variance(learned)) : 0;
        int lanes = Math.min(LANES, learned.size());
        int longest =
                learned.stream().mapToInt(Replay.Demonstration::steps).max().orElseThrow();
        int steps = Math.max(burnIn + 1, Math.min(segmentSteps, longest));
        this.replay = new Replay(agent, lanes, steps, burnIn);
        int rowsPerUnit = agent.kind().stepsPerUnit(steps);
        int units = lanes * steps / rowsPerUnit;
        this.order = new MinibatchOrder(backend, units);
        this.shards = new Shards(backend, agent.kind(), agent.parameters(), replay.rollout(), rowsPerUnit, units);
        this.adam = new Adam(
                agent.parameters(), new AdamSettings(0.9f, 0.999f, 1e-5f, MAX_GRADIENT_NORM), settings.learningRate());
    }

    /** One over the standard deviation by which rewards are divided in training; 1 where they aren't. */
    private static double returnScale(Recording recording, float gamma, boolean normalizeRewards) {
        if (!normalizeRewards || !recording.hasRewards()) {
            return 1;
        }
        RunningMoments moments = new RunningMoments(1);
        float[] soFar = new float[1];
        for (Recording.Episode episode : recording.episodes()) {
            soFar[0] = 0;
            for (float reward : Objects.requireNonNull(episode.rewards())) {
                soFar[0] = gamma * soFar[0] + reward;
                moments.include(soFar, 1);
            }
        }
        return 1 / moments.std(0);
    }

    private static float[] returns(Recording.Episode episode, int steps, float gamma, double scale) {
        float[] returns = new float[steps];
        float[] rewards = episode.rewards();
        double following = 0;
        for (int step = steps - 1; step >= 0 && rewards != null; step--) {
            following = rewards[step] * scale + gamma * following;
            returns[step] = (float) following;
        }
        return returns;
    }

    private static double variance(List<Replay.Demonstration> episodes) {
        double count = 0;
        double mean = 0;
        double squares = 0;
        for (Replay.Demonstration episode : episodes) {
            for (float value : episode.returns()) {
                count++;
                double delta = value - mean;
                mean += delta / count;
                squares += delta * (value - mean);
            }
        }
        return squares / count;
    }

    /**
     * Learns until what was held out becomes no more likely; the parameters of the best epoch are kept.
     *
     * @param stop asked before each segment; what was the best until then is kept
     */
    public ImitationResult learn(ImitationResult.Listener listener, BooleanSupplier stop) {
        Random random = new Random(settings.seed() + 1);
        float[] best = new float[Math.toIntExact(agent.parameters().length())];
        int bestEpoch = 0;
        Fit bestLearned = new Fit(Double.NaN, Double.NaN);
        Fit bestHeldOut = bestLearned;
        int epoch = 0;
        while (epoch < settings.epochs() && epoch - bestEpoch < settings.patience() && !stop.getAsBoolean()) {
            adam.setLearningRate(settings.learningRate() * (1 - 0.9 * epoch / settings.epochs()));
            List<Replay.Demonstration> shuffled = new ArrayList<>(learned);
            Collections.shuffle(shuffled, random);
            Fit fit = pass(shuffled, epoch, stop);
            Fit test = heldOut.isEmpty() ? fit : pass(heldOut, -1, stop);
            if (stop.getAsBoolean()) {
                break;
            }
            epoch++;
            listener.learned(epoch, fit, test);
            if (bestEpoch == 0 || test.loss() < bestHeldOut.loss()) {
                bestEpoch = epoch;
                bestLearned = fit;
                bestHeldOut = test;
                backend.memory().download(agent.parameters().values(), best, 0);
            }
        }
        if (bestEpoch > 0) {
            backend.memory().upload(best, 0, agent.parameters().values());
        }
        if (agent.distribution() instanceof GaussianActions gaussian) {
            spread(gaussian, heldOut.isEmpty() ? learned : heldOut, stop);
        }
        return new ImitationResult(epoch, bestEpoch, bestLearned, bestHeldOut, learned.size(), heldOut.size());
    }

    /**
     * Goes through episodes once.
     *
     * @param epoch from 0; negative if nothing is to be learned
     */
    private Fit pass(List<Replay.Demonstration> episodes, int epoch, BooleanSupplier stop) {
        Deviations deviations = new Deviations(agent);
        replay.begin(episodes);
        for (int segment = 0; !stop.getAsBoolean() && replay.playSegment(); segment++) {
            deviations.add(replay, outputs());
            if (epoch >= 0) {
                order.shuffle(settings.seed(), (long) epoch << 32 | segment);
                int minibatches = (int) Math.min(MINIBATCHES, order.all().length());
                for (int minibatch = 0; minibatch < minibatches; minibatch++) {
                    learn(order.minibatch(minibatch, minibatches));
                }
            }
            replay.advanceMemory();
        }
        return deviations.fit();
    }

    /** What the policy gives for the rows of the segment, [rows, outputs]. */
    private float[] outputs() {
        int width = agent.distribution().outputs();
        float[] all = new float[replay.rollout().rows() * width];
        DeviceArray target = backend.memory().allocate(backend.memory().floatType(), all.length);
        MinibatchOrder inOrder = new MinibatchOrder(backend, (int) order.all().length());
        try {
            shards.forEach(inOrder.all(), shard -> {
                try (Tape tape = Tape.inference(backend)) {
                    Tensor policy = replay.context().policy(shard.observations(tape), shard.units());
                    Tensor restricted = agent.distribution().restrict(policy, shard.masks(tape));
                    backend.memory().copy(restricted.array(), shard.part(target, width));
                }
            });
            backend.memory().download(target, all, 0);
            return all;
        } finally {
            inOrder.close();
            target.release();
        }
    }

    private void learn(DeviceArray units) {
        double ofEach = 1.0 / shards.rows(units);
        adam.step(shards.sumGradients(units, shard -> {
            try (Tape tape = Tape.recording(backend)) {
                ActorCritic.Outputs outputs = replay.context()
                        .forward(shard.observations(tape), shard.units())
                        .restricted(agent.distribution(), shard.masks(tape));
                Tensor loss = agent.distribution()
                        .imitationLoss(
                                outputs.policy(),
                                shard.gather(tape, replay.rollout().actions()));
                if (valueWeight > 0) {
                    Tensor reached = column(tape, shard, replay.rollout().returns());
                    loss = loss.add(outputs.values()
                            .subtract(reached)
                            .square()
                            .multiply(0.5 * VALUE_COEFFICIENT * valueWeight));
                }
                Tensor weights = column(tape, shard, replay.rollout().advantages());
                Tensor sum = loss.multiply(weights).sum().multiply(ofEach);
                tape.gradientsInto(
                        List.of(sum), List.of(tape.full(1, sum.shape())), agent.parameters(), shard.gradient());
            }
        }));
    }

    private static Tensor column(Tape tape, Shards.Shard shard, DeviceArray ofRollout) {
        return tape.constant(shard.gather(tape, ofRollout), shard.rows(), 1);
    }

    /** Lets actions spread as far as those that were recorded are from the means. */
    private void spread(GaussianActions gaussian, List<Replay.Demonstration> episodes, BooleanSupplier stop) {
        Deviations deviations = new Deviations(agent);
        replay.begin(episodes);
        while (!stop.getAsBoolean() && replay.playSegment()) {
            deviations.add(replay, outputs());
            replay.advanceMemory();
        }
        double[] logStd = deviations.rootMeanSquares();
        for (int i = 0; i < logStd.length; i++) {
            logStd[i] = Math.log(Math.max(SMALLEST_STD, logStd[i]));
        }
        backend.memory().upload(logStd, 0, gaussian.logStd().value());
    }

    @Override
    public void close() {
        order.close();
        shards.close();
        adam.close();
        replay.close();
    }
}
