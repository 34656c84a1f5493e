// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Readback;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.optim.Adam;
import org.fovea.rl.learner.Learner;
import org.fovea.rl.learner.LossStatistics;
import org.fovea.rl.learner.MinibatchOrder;
import org.fovea.rl.learner.Shards;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.ActionDistribution;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.rollout.Rollout;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.jspecify.annotations.Nullable;

/**
 * Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347): some epochs of clipped policy-gradient steps over
 * shuffled minibatches of a rollout.
 *
 * <p>Where implementations differ: advantages are standardised in each minibatch by the deviation of a population (n, not
 * n - 1, under the root); the KL divergence that can end the epochs is the mean over the last epoch, {@code r - 1 - log r}
 * per row, while minibatches were learned from in turn; the change of values is not clipped unless {@code value_clip} says so,
 * which is of no measured use (Andrychowicz et al. 2021, arXiv:2006.05990).
 *
 * <p>The step on each minibatch is captured when it first comes and replayed in every epoch from then on: which rows are
 * its own is read from the order of units, on the device.
 *
 * <p>The host does not wait for an epoch before it issues the next: whether one went too far is compared with the limit on the
 * device, which raises the flag that stops the optimiser. The host sees it at the latest when the next epoch has been issued,
 * which then has changed nothing.
 */
final class Ppo implements Learner {
    private final Backend backend;
    private final PpoConfig config;
    private final ActionDistribution distribution;
    private final Parameters parameters;
    private final Rollout rollout;
    private final ActorCritic.Context context;
    private final Adam adam;
    private final int rowsPerUnit;
    private final MinibatchOrder order;
    private final Shards shards;
    private final DeviceArray advantages;
    private final DeviceArray clip;
    private final DeviceArray epochStatistics;
    private final DeviceArray statistics;

    /** Records of each epoch, and the norm of the last gradient. */
    private final float[] statisticsOnHost;

    private final @Nullable Readback stopFlag;
    private final @Nullable CapturedStep[] steps;

    Ppo(PpoConfig config, Agent agent, Rollout rollout, ActorCritic.Context context) {
        this.backend = agent.backend();
        this.config = config;
        this.distribution = agent.distribution();
        this.parameters = agent.parameters();
        this.rollout = rollout;
        this.context = context;
        this.rowsPerUnit = agent.kind().stepsPerUnit(rollout.steps());
        int units = rollout.rows() / rowsPerUnit;
        int largest = rollout.largestMinibatch(config.minibatchSetting(), config.minibatches(), rowsPerUnit);
        this.order = new MinibatchOrder(backend, units);
        this.shards = new Shards(backend, agent.kind(), parameters, rollout, rowsPerUnit, largest);
        this.advantages = backend.memory().allocate(backend.memory().floatType(), (long) largest * rowsPerUnit);
        this.clip = backend.memory().allocate(backend.memory().floatType(), 1);
        int perEpoch = config.minibatches() * shards.count() * PpoLoss.STATISTICS;
        this.epochStatistics = backend.memory().allocate(backend.memory().floatType(), perEpoch);
        this.statisticsOnHost = new float[config.epochs() * perEpoch + 1];
        this.statistics = backend.memory().allocate(backend.memory().floatType(), statisticsOnHost.length);
        this.steps = new CapturedStep[config.minibatches()];
        this.adam = new Adam(
                parameters,
                config.optimizer().adam(config.weightDecay()),
                config.optimizer().learningRate());
        this.stopFlag = config.targetKl() > 0 ? backend.memory().readback(adam.stopFlag()) : null;
    }

    @Override
    public UpdateStatistics update(double progress, long seed, long iteration, long step) {
        rollout.estimateAdvantages(backend, config.rollout());
        backend.memory().fill(clip, config.clipSchedule().at(config.clip(), progress));
        boolean isAdaptive = config.adaptiveKl() > 0;
        // An adapted rate is part of the optimiser's state, which a checkpoint keeps.
        double learningRate =
                isAdaptive ? adam.learningRate() : config.optimizer().learningRateAt(progress);
        adam.setLearningRate(learningRate);
        int epoch = 0;
        boolean tooFar = false;
        while (epoch < config.epochs() && !tooFar) {
            order.shuffle(seed, iteration * config.epochs() + epoch);
            for (int minibatch = 0; minibatch < config.minibatches(); minibatch++) {
                step(minibatch).replay();
            }
            if (epoch > 0 && isStopped()) {
                // The epoch before went too far, and so this one, issued before that was known, has changed nothing.
                tooFar = true;
                break;
            }
            backend.memory().copy(epochStatistics, ofEpochs(epoch, epoch + 1));
            epoch++;
            if (stopFlag != null && epoch < config.epochs()) {
                backend.rl().flagDivergence(config.targetKl(), rollout.rows(), epochStatistics, adam.stopFlag());
                stopFlag.start();
            }
            if (isAdaptive) {
                learningRate = AdaptiveRate.next(
                        learningRate, statistics(epoch - 1, epoch).approximateKl(), config.adaptiveKl());
                adam.setLearningRate(learningRate);
            }
            tooFar = epoch < config.epochs() && stopFlag != null && stopFlag.isReady() && isStopped();
        }
        if (tooFar) {
            backend.memory().fill(adam.stopFlag(), 0);
        }
        int normIndex = statisticsOnHost.length - 1;
        backend.memory().copy(adam.lastGradientNorm(), statistics.slice(normIndex, 1));
        backend.memory().download(statistics, statisticsOnHost, 0);
        LossStatistics seen = lossStatistics(0, epoch);
        seen.checkFinite(step);
        float gradientNorm = statisticsOnHost[normIndex];
        NonFiniteException.check("gradient norm", gradientNorm, step);
        return new UpdateStatistics(seen, Double.NaN, learningRate, gradientNorm);
    }

    /** Whether the last epoch that was compared with the limit went beyond it. Waits for that, but for nothing issued after it. */
    private boolean isStopped() {
        return stopFlag != null && stopFlag.values()[0] != 0;
    }

    private CapturedStep step(int minibatch) {
        CapturedStep step = steps[minibatch];
        if (step == null) {
            step = backend.capture(() -> learn(minibatch));
            steps[minibatch] = step;
        }
        return step;
    }

    private void learn(int minibatch) {
        DeviceArray units = order.minibatch(minibatch, config.minibatches());
        int rows = (int) units.length() * rowsPerUnit;
        DeviceArray minibatchAdvantages = advantages.slice(0, rows);
        backend.math().gatherRows(rollout.advantages(), rowsPerUnit, units, minibatchAdvantages);
        if (config.normalizeAdvantage()) {
            backend.math().standardize(1e-8f, minibatchAdvantages, minibatchAdvantages);
        }
        int perMinibatch = shards.count() * PpoLoss.STATISTICS;
        DeviceArray minibatchStatistics = epochStatistics.slice((long) minibatch * perMinibatch, perMinibatch);
        if (units.length() < shards.count()) {
            backend.memory().fill(minibatchStatistics, 0);
        }
        PpoLoss loss = new PpoLoss(config.entropyCoef(), config.valueCoef(), config.valueClip(), 1f / rows);
        adam.step(shards.sumGradients(
                units, shard -> differentiate(loss, shard, minibatchAdvantages, minibatchStatistics)));
    }

    private void differentiate(
            PpoLoss loss, Shards.Shard shard, DeviceArray minibatchAdvantages, DeviceArray minibatchStatistics) {
        try (Tape tape = Tape.recording(backend)) {
            Shards.Played played = shard.played(tape, shard.part(minibatchAdvantages, 1), clip);
            ActorCritic.Outputs outputs =
                    context.forward(played.observations(), shard.units()).restricted(distribution, played.masks());
            ActionDistribution.Loss gradients = distribution.loss(
                    tape,
                    loss,
                    outputs,
                    played.batch(),
                    minibatchStatistics.slice((long) shard.index() * PpoLoss.STATISTICS, PpoLoss.STATISTICS));
            tape.gradientsInto(gradients.inputs(), gradients.gradients(), parameters, shard.gradient());
        }
    }

    private LossStatistics statistics(int fromEpoch, int toEpoch) {
        backend.memory().download(ofEpochs(fromEpoch, toEpoch), statisticsOnHost, 0);
        return lossStatistics(fromEpoch, toEpoch);
    }

    /** Of what was downloaded, from {@code fromEpoch} on. */
    private LossStatistics lossStatistics(int fromEpoch, int toEpoch) {
        int epochs = toEpoch - fromEpoch;
        return LossStatistics.of(
                statisticsOnHost, epochs * (int) epochStatistics.length(), (long) epochs * rollout.rows());
    }

    private DeviceArray ofEpochs(int from, int to) {
        return statistics.slice(from * epochStatistics.length(), (to - from) * epochStatistics.length());
    }

    @Override
    public DeviceArray gradient() {
        return shards.lastSum();
    }

    @Override
    public Map<String, DeviceArray> persistent() {
        return adam.persistent();
    }

    @Override
    public void close() {
        for (CapturedStep step : steps) {
            if (step != null) {
                step.close();
            }
        }
        if (stopFlag != null) {
            stopFlag.close();
        }
        order.close();
        advantages.release();
        clip.release();
        shards.close();
        epochStatistics.release();
        statistics.release();
        adam.close();
    }
}
