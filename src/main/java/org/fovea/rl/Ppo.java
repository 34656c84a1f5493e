package org.fovea.rl;

import java.util.function.IntConsumer;
import org.fovea.backend.AdamSettings;
import org.fovea.backend.Backend;
import org.fovea.backend.BinaryOp;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Philox;
import org.fovea.backend.PpoLoss;
import org.fovea.optim.Adam;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.jspecify.annotations.Nullable;

/**
 * Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347): some epochs of clipped policy-gradient steps over
 * shuffled minibatches of a rollout.
 *
 * <p>A minibatch is cut into shards that run forward and backward end to end, each with a gradient of its own; gradients
 * are then added in a fixed tree, so the result does not depend on how many shards ran at once.
 *
 * <p>The step on each minibatch is captured when it first comes and replayed in every epoch from then on: which rows are
 * its own is read from the order of units, on the device.
 */
final class Ppo implements AutoCloseable {
    private final Backend backend;
    private final PpoConfig config;
    private final ActorCritic network;
    private final ActionDistribution distribution;
    private final Parameters parameters;
    private final Rollout rollout;
    private final ActorCritic.Context context;
    private final Adam adam;
    private final int units;
    private final int rowsPerUnit;
    private final int shards;
    private final int[] order;
    private final DeviceArray orderOnDevice;
    private final DeviceArray advantages;
    private final DeviceArray[] gradients;
    private final DeviceArray epochStatistics;
    private final DeviceArray statistics;
    private final float[] statisticsOnHost;
    private final @Nullable CapturedStep[] steps;

    /**
     * @param rollout what is learned from, played anew before each update
     * @param context what the network remembers of the rollout's environments
     */
    Ppo(PpoConfig config, Agent agent, Rollout rollout, ActorCritic.Context context) {
        this.backend = agent.backend();
        this.config = config;
        this.network = agent.network();
        this.distribution = agent.distribution();
        this.parameters = agent.parameters();
        this.rollout = rollout;
        this.context = context;
        this.rowsPerUnit = network.stepsPerUnit(config.rolloutSteps());
        this.units = rollout.rows() / rowsPerUnit;
        if (units < config.minibatches()) {
            throw new IllegalArgumentException("hyper-parameter minibatches must be at most " + units
                    + (rowsPerUnit > 1
                            ? " (the number of environments, whose rollouts stay whole)"
                            : " (steps per rollout)")
                    + ", got " + config.minibatches());
        }
        int largest = (units + config.minibatches() - 1) / config.minibatches();
        this.shards = backend.shards(largest);
        this.order = new int[units];
        this.orderOnDevice = backend.allocate(DType.I32, units);
        this.advantages = backend.allocate(backend.floatType(), (long) largest * rowsPerUnit);
        this.gradients = new DeviceArray[shards];
        for (int shard = 0; shard < shards; shard++) {
            gradients[shard] = backend.allocate(backend.floatType(), parameters.length());
        }
        int perEpoch = config.minibatches() * shards * PpoLoss.STATISTICS;
        this.epochStatistics = backend.allocate(backend.floatType(), perEpoch);
        this.statistics = backend.allocate(backend.floatType(), (long) config.epochs() * perEpoch);
        this.statisticsOnHost = new float[config.epochs() * perEpoch];
        this.steps = new CapturedStep[config.minibatches()];
        float limit = config.maxGradNorm() == 0 ? Float.POSITIVE_INFINITY : config.maxGradNorm();
        this.adam = new Adam(
                parameters, new AdamSettings(0.9f, 0.999f, config.adamEpsilon(), limit), config.learningRate());
    }

    /**
     * Learns from the rollout.
     *
     * @param iteration number of rollouts learned from before
     * @param step of the run, for messages
     * @throws NonFiniteException if a loss or the gradient is not finite
     */
    UpdateStatistics update(double learningRate, long seed, long iteration, long step) {
        backend.advantages(
                rollout.environments(),
                rollout.steps(),
                config.gamma(),
                config.gaeLambda(),
                rollout.rewards(),
                rollout.values(),
                rollout.nextValues(),
                rollout.done(),
                rollout.advantages(),
                rollout.returns());
        adam.setLearningRate(learningRate);
        int epoch = 0;
        boolean tooFar = false;
        while (epoch < config.epochs() && !tooFar) {
            shuffle(seed, iteration * config.epochs() + epoch);
            for (int minibatch = 0; minibatch < config.minibatches(); minibatch++) {
                step(minibatch).replay();
            }
            backend.copy(epochStatistics, ofEpochs(epoch, epoch + 1));
            epoch++;
            if (config.targetKl() > 0) {
                tooFar = statistics(epoch - 1, epoch).approximateKl() > config.targetKl();
            }
        }
        UpdateStatistics seen = statistics(0, epoch);
        seen.checkFinite(step);
        float norm = gradientNorm();
        if (!Float.isFinite(norm)) {
            throw new NonFiniteException("gradient norm", norm, step);
        }
        return seen;
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
        int from = (int) ((long) units * minibatch / config.minibatches());
        int to = (int) ((long) units * (minibatch + 1) / config.minibatches());
        int rows = (to - from) * rowsPerUnit;
        DeviceArray minibatchAdvantages = advantages.slice(0, rows);
        backend.gatherRows(
                rollout.advantages(), rowsPerUnit, orderOnDevice.slice(from, to - from), minibatchAdvantages);
        if (config.normalizeAdvantage()) {
            backend.standardize(1e-8f, minibatchAdvantages, minibatchAdvantages);
        }
        PpoLoss loss =
                new PpoLoss(config.clip(), config.entropyCoef(), config.valueCoef(), config.valueClip(), 1f / rows);
        int slot = minibatch * shards;
        IntConsumer shardWork = shard -> {
            int shardFrom = from + (int) ((long) (to - from) * shard / shards);
            int shardTo = from + (int) ((long) (to - from) * (shard + 1) / shards);
            DeviceArray shardStatistics =
                    epochStatistics.slice((long) (slot + shard) * PpoLoss.STATISTICS, PpoLoss.STATISTICS);
            if (shardFrom == shardTo) {
                backend.fill(gradients[shard], 0);
                backend.fill(shardStatistics, 0);
                return;
            }
            DeviceArray shardAdvantages = minibatchAdvantages.slice(
                    (long) (shardFrom - from) * rowsPerUnit, (long) (shardTo - shardFrom) * rowsPerUnit);
            differentiate(
                    loss,
                    orderOnDevice.slice(shardFrom, shardTo - shardFrom),
                    shardAdvantages,
                    gradients[shard],
                    shardStatistics);
        };
        backend.forEachShard(shards, shardWork);
        addUp();
        adam.step(gradients[0]);
    }

    private void differentiate(
            PpoLoss loss,
            DeviceArray shardUnits,
            DeviceArray shardAdvantages,
            DeviceArray gradient,
            DeviceArray shardStatistics) {
        int rows = (int) shardUnits.length() * rowsPerUnit;
        try (Tape tape = Tape.recording(backend)) {
            DeviceArray observations = gather(tape, rollout.observations(), rollout.observationSize(), shardUnits);
            ActorCritic.Outputs outputs = network.forward(
                    tape, tape.constant(observations, rows, rollout.observationSize()), context, shardUnits);
            ActionDistribution.PlayedRows played = new ActionDistribution.PlayedRows(
                    gather(tape, rollout.actions(), rollout.actionSize(), shardUnits),
                    gather(tape, rollout.logProbs(), 1, shardUnits),
                    gather(tape, rollout.values(), 1, shardUnits),
                    shardAdvantages,
                    gather(tape, rollout.returns(), 1, shardUnits));
            ActionDistribution.Loss gradients = distribution.loss(tape, loss, outputs, played, shardStatistics);
            tape.gradientsInto(gradients.inputs(), gradients.gradients(), parameters, gradient);
        }
    }

    /** Rows of {@code size} elements per step, of the given units. */
    private DeviceArray gather(Tape tape, DeviceArray source, int size, DeviceArray shardUnits) {
        int width = rowsPerUnit * size;
        DeviceArray rows = tape.allocate(source.dtype(), shardUnits.length() * width);
        backend.gatherRows(source, width, shardUnits, rows);
        return rows;
    }

    /** Adds the shards' gradients into the first, pairwise, in an order that depends on their number alone. */
    private void addUp() {
        int[] shape = {Math.toIntExact(parameters.length())};
        int[] stride = {1};
        for (int distance = 1; distance < shards; distance *= 2) {
            for (int shard = 0; shard + distance < shards; shard += 2 * distance) {
                backend.zip(
                        BinaryOp.ADD,
                        shape,
                        gradients[shard],
                        stride,
                        gradients[shard + distance],
                        stride,
                        gradients[shard]);
            }
        }
    }

    private void shuffle(long seed, long epoch) {
        for (int i = 0; i < units; i++) {
            int bits = Philox.bits(seed, RandomStreams.shuffle(epoch), i);
            int other = (int) ((bits & 0xFFFFFFFFL) * (i + 1) >>> 32);
            order[i] = order[other];
            order[other] = i;
        }
        backend.upload(order, 0, orderOnDevice);
    }

    private UpdateStatistics statistics(int fromEpoch, int toEpoch) {
        DeviceArray seen = ofEpochs(fromEpoch, toEpoch);
        backend.download(seen, statisticsOnHost, 0);
        return UpdateStatistics.of(
                statisticsOnHost, (int) seen.length(), (long) (toEpoch - fromEpoch) * units * rowsPerUnit);
    }

    private DeviceArray ofEpochs(int from, int to) {
        return statistics.slice(from * epochStatistics.length(), (to - from) * epochStatistics.length());
    }

    private float gradientNorm() {
        float[] norm = new float[1];
        backend.download(adam.state().slice(AdamSettings.GRADIENT_NORM, 1), norm, 0);
        return norm[0];
    }

    Adam optimizer() {
        return adam;
    }

    @Override
    public void close() {
        for (CapturedStep step : steps) {
            if (step != null) {
                step.close();
            }
        }
        orderOnDevice.release();
        advantages.release();
        for (DeviceArray gradient : gradients) {
            gradient.release();
        }
        epochStatistics.release();
        statistics.release();
        adam.close();
    }
}
