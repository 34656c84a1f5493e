// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Readback;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.collective.Collective;
import org.fovea.optim.Adam;
import org.fovea.rl.learner.Learner;
import org.fovea.rl.learner.LossStatistics;
import org.fovea.rl.learner.MinibatchOrder;
import org.fovea.rl.learner.Shards;
import org.fovea.rl.learner.StandardAdvantages;
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
 * <p>Of several members of a run each has a part of every minibatch; the gradients of their parts are added before the optimiser's step.
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
    private final Collective collective;
    private final Adam adam;
    private final int rowsPerUnit;
    private final MinibatchOrder order;
    private final Shards shards;
    private final StandardAdvantages standard;
    private final DeviceArray advantages;
    private final DeviceArray clip;
    private final DeviceArray epochStatistics;

    /** The same of all members, empty where there is one. */
    private final DeviceArray sharedStatistics;

    private final DeviceArray statistics;

    /** Records of each epoch, and the norm of the last gradient. */
    private final float[] statisticsOnHost;

    private final @Nullable Readback stopFlag;
    private final @Nullable CapturedStep[] steps;

    /** The optimiser's, where gradients are exchanged between two captured steps. */
    private @Nullable CapturedStep optimizerStep;

    Ppo(PpoConfig config, Agent agent, Rollout rollout, ActorCritic.Context context, Collective collective) {
        this.collective = collective;
        this.backend = agent.backend();
        this.config = config;
        this.distribution = agent.distribution();
        this.parameters = agent.parameters();
        this.rollout = rollout;
        this.context = context;
        this.rowsPerUnit = agent.kind().stepsPerUnit(rollout.steps());
        int units = rollout.rows() / rowsPerUnit;
        int largest = rollout.largestMinibatch(config.minibatchSetting(), config.minibatches(), rowsPerUnit);
        this.order = new MinibatchOrder(backend, units, collective.rank());
        this.standard = new StandardAdvantages(backend, collective, rollout.rows(), config.minibatches());
        this.shards = new Shards(backend, agent.kind(), parameters, rollout, rowsPerUnit, largest);
        this.advantages = backend.memory().allocate(backend.memory().floatType(), (long) largest * rowsPerUnit);
        this.clip = backend.memory().allocate(backend.memory().floatType(), 1);
        int perEpoch = config.minibatches() * shards.count() * PpoLoss.STATISTICS;
        this.epochStatistics = backend.memory().allocate(backend.memory().floatType(), perEpoch);
        this.sharedStatistics =
                backend.memory().allocate(backend.memory().floatType(), collective.size() == 1 ? 0 : perEpoch);
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
        if (config.normalizeAdvantage()) {
            standard.look(rollout);
        }
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
            if (config.normalizeAdvantage()) {
                standard.prepare(order);
            }
            for (int minibatch = 0; minibatch < config.minibatches(); minibatch++) {
                step(minibatch).replay();
                if (!collective.isCapturable()) {
                    collective.allReduceSum(shards.lastSum());
                    optimizerStep().replay();
                }
            }
            if (epoch > 0 && isStopped()) {
                // The epoch before went too far, and so this one, issued before that was known, has changed nothing.
                tooFar = true;
                break;
            }
            backend.memory().copy(epochStatistics, ofEpochs(epoch, epoch + 1));
            epoch++;
            if (stopFlag != null && epoch < config.epochs()) {
                backend.rl().flagDivergence(config.targetKl(), rowsOfAll(), epochStatisticsOfAll(), adam.stopFlag());
                stopFlag.start();
            }
            if (isAdaptive) {
                learningRate = AdaptiveRate.next(
                        learningRate, statistics(epoch - 1, epoch).approximateKl(), config.adaptiveKl());
                adam.setLearningRate(learningRate);
            }
            // Several members must go the same way, so they wait to know.
            boolean isKnown = stopFlag != null && (collective.size() > 1 || stopFlag.isReady());
            tooFar = epoch < config.epochs() && isKnown && isStopped();
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

    /** Rows that all members learn from. */
    private long rowsOfAll() {
        return (long) rollout.rows() * collective.size();
    }

    /** Records of the last epoch, each the sum over members. */
    private DeviceArray epochStatisticsOfAll() {
        if (collective.size() == 1) {
            return epochStatistics;
        }
        backend.memory().copy(epochStatistics, sharedStatistics);
        collective.allReduceSum(sharedStatistics);
        return sharedStatistics;
    }

    private CapturedStep optimizerStep() {
        if (optimizerStep == null) {
            optimizerStep = backend.capture(() -> adam.step(shards.lastSum()));
        }
        return optimizerStep;
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
            standard.standardize(minibatch, minibatchAdvantages);
        }
        int perMinibatch = shards.count() * PpoLoss.STATISTICS;
        DeviceArray minibatchStatistics = epochStatistics.slice((long) minibatch * perMinibatch, perMinibatch);
        if (units.length() < shards.count()) {
            backend.memory().fill(minibatchStatistics, 0);
        }
        PpoLoss loss = new PpoLoss(
                config.entropyCoef(), config.valueCoef(), config.valueClip(), 1f / (rows * collective.size()));
        DeviceArray gradient = shards.sumGradients(
                units, shard -> differentiate(loss, shard, minibatchAdvantages, minibatchStatistics));
        if (collective.isCapturable()) {
            collective.allReduceSum(gradient);
            adam.step(gradient);
        }
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
                statisticsOnHost, epochs * (int) epochStatistics.length(), epochs * rowsOfAll(), collective);
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
        if (optimizerStep != null) {
            optimizerStep.close();
        }
        if (stopFlag != null) {
            stopFlag.close();
        }
        order.close();
        standard.close();
        sharedStatistics.release();
        advantages.release();
        clip.release();
        shards.close();
        epochStatistics.release();
        statistics.release();
        adam.close();
    }
}
