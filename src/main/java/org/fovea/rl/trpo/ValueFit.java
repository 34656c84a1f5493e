// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.trpo;

import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.collective.Collective;
import org.fovea.optim.Adam;
import org.fovea.rl.learner.MinibatchOrder;
import org.fovea.rl.learner.Shards;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.rollout.Rollout;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Fits values to the returns of a rollout, by Adam over shuffled minibatches of {@code (value - return)^2 / 2}. Only the
 * value's own parameters move: the policy stays the same to the last bit, also where the two share a trunk. What the trunk
 * gives is therefore computed once.
 */
final class ValueFit implements AutoCloseable {
    private final Backend backend;
    private final TrpoConfig config;
    private final ActorCritic network;
    private final Parameters parameters;
    private final Rollout rollout;
    private final ActorCritic.Context context;
    private final Shards segments;
    private final DeviceArray units;
    private final Shards rows;
    private final MinibatchOrder order;
    private final DeviceArray features;
    private final Collective collective;
    private final Adam adam;
    private final @Nullable CapturedStep[] steps;
    private @Nullable CapturedStep featureStep;

    /** Where gradients are exchanged between two captured steps. */
    private @Nullable CapturedStep optimizerStep;

    /**
     * @param segments cut what the network must see together
     * @param units all of the rollout, in order
     * @param collective members whose rollouts count
     */
    ValueFit(
            TrpoConfig config,
            Agent agent,
            Rollout rollout,
            ActorCritic.Context context,
            Shards segments,
            DeviceArray units,
            Collective collective) {
        this.collective = collective;
        this.backend = agent.backend();
        this.config = config;
        this.network = agent.network();
        this.parameters = agent.parameters();
        this.rollout = rollout;
        this.context = context;
        this.segments = segments;
        this.units = units;
        int rowsPerUnit = network.stepsPerValueUnit(agent.kind(), rollout.steps());
        int largest = rollout.largestMinibatch(config.minibatchSetting(), config.valueMinibatches(), rowsPerUnit);
        this.rows = new Shards(backend, agent.kind(), parameters, rollout, rowsPerUnit, largest);
        this.order = new MinibatchOrder(backend, rollout.rows() / rowsPerUnit, collective.rank());
        this.features = backend.memory()
                .allocate(backend.memory().floatType(), (long) rollout.rows() * network.valueFeatureCount());
        this.adam = new Adam(
                parameters, config.optimizer().adam(0), config.optimizer().learningRate());
        this.steps = new CapturedStep[config.valueMinibatches()];
    }

    /**
     * Fits to the rollout's returns.
     *
     * @throws NonFiniteException if the gradient is not finite
     */
    void fit(double learningRate, long seed, long iteration, long step) {
        adam.setLearningRate(learningRate);
        if (featureStep == null) {
            featureStep = backend.capture(this::computeFeatures);
        }
        featureStep.replay();
        for (int epoch = 0; epoch < config.valueEpochs(); epoch++) {
            order.shuffle(seed, iteration * config.valueEpochs() + epoch);
            for (int minibatch = 0; minibatch < config.valueMinibatches(); minibatch++) {
                step(minibatch).replay();
                if (!collective.isCapturable()) {
                    collective.allReduceSum(rows.lastSum());
                    optimizerStep().replay();
                }
            }
        }
        NonFiniteException.check("gradient norm of the value function", adam.gradientNorm(), step);
    }

    private void computeFeatures() {
        segments.forEach(units, shard -> {
            try (Tape tape = Tape.inference(backend)) {
                Tensor computed = context.valueFeatures(shard.observations(tape), shard.units());
                backend.memory().copy(computed.array(), shard.part(features, network.valueFeatureCount()));
            }
        });
    }

    private CapturedStep step(int minibatch) {
        CapturedStep step = steps[minibatch];
        if (step == null) {
            step = backend.capture(() -> learn(order.minibatch(minibatch, config.valueMinibatches())));
            steps[minibatch] = step;
        }
        return step;
    }

    private void learn(DeviceArray minibatch) {
        DeviceArray sum = rows.sumGradients(minibatch, shard -> {
            try (Tape tape = Tape.recording(backend)) {
                Tensor values = context.valuesOf(
                        tape.constant(shard.gather(tape, features), shard.rows(), network.valueFeatureCount()),
                        shard.units());
                Tensor returns = tape.constant(shard.gather(tape, rollout.returns()), shard.rows(), 1);
                Tensor gradient = values.detach()
                        .subtract(returns)
                        .multiply(1.0 / ((double) rows.rows(minibatch) * collective.size()));
                tape.gradientsInto(List.of(values), List.of(gradient), parameters, shard.gradient());
            }
        });
        if (collective.isCapturable()) {
            collective.allReduceSum(sum);
            adam.step(sum);
        }
    }

    private CapturedStep optimizerStep() {
        if (optimizerStep == null) {
            optimizerStep = backend.capture(() -> adam.step(rows.lastSum()));
        }
        return optimizerStep;
    }

    /** Arrays that a checkpoint keeps, by name. */
    Map<String, DeviceArray> persistent() {
        return adam.persistent();
    }

    @Override
    public void close() {
        if (featureStep != null) {
            featureStep.close();
        }
        if (optimizerStep != null) {
            optimizerStep.close();
        }
        for (CapturedStep step : steps) {
            if (step != null) {
                step.close();
            }
        }
        rows.close();
        order.close();
        features.release();
        adam.close();
    }
}
