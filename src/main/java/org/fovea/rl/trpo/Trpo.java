// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.trpo;

import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.collective.Collective;
import org.fovea.optim.ConjugateGradient;
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
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Trust region policy optimisation (Schulman et al. 2015, arXiv:1502.05477): one step on each rollout along the natural
 * gradient, as far as the trust region lets it go.
 *
 * <pre>
 *   L(theta) = -mean(advantage probability ratio);   g = gradient of L;   F = Fisher matrix of the policy
 *   s = F^-1 g by conjugate gradient;   theta' = theta - sqrt(2 maxKl / s.F s) s
 *   shortened until L falls and the mean KL divergence is at most maxKl
 * </pre>
 *
 * <p>Advantages are standardised over the whole rollout by the deviation of a population: n, not n - 1, under the root.
 *
 * <p>Then the value function is fitted. The gradient and all of the conjugate gradient are one captured step, and so is each
 * look of the line search, where there is one member. Several add up gradients and products within them.
 */
final class Trpo implements Learner {
    private final Backend backend;
    private final TrpoConfig config;
    private final ActionDistribution distribution;
    private final Parameters parameters;
    private final Rollout rollout;
    private final ActorCritic.Context context;
    private final Collective collective;
    private final PpoLoss loss;
    private final DeviceArray noClip;
    private final MinibatchOrder order;
    private final Shards shards;
    private final FisherVectorProduct fisher;
    private final ConjugateGradient solver;
    private final ValueFit valueFit;

    private final StandardAdvantages standard;
    private final DeviceArray advantages;
    private final DeviceArray oldPolicy;
    private final DeviceArray oldParameters;
    private final DeviceArray gradient;
    private final DeviceArray direction;
    private final DeviceArray displacement;
    private final DeviceArray stepLength;

    /** What the host reads, one after the other in one array: statistics and divergence of each shard, and |g|^2 and s.F s. */
    private final DeviceArray report;

    private final DeviceArray statistics;
    private final DeviceArray divergences;
    private final DeviceArray squares;
    private final float[] reportOnHost;
    private @Nullable CapturedStep directionStep;
    private @Nullable CapturedStep evaluationStep;

    Trpo(TrpoConfig config, Agent agent, Rollout rollout, ActorCritic.Context context, Collective collective) {
        this.collective = collective;
        this.backend = agent.backend();
        this.config = config;
        this.distribution = agent.distribution();
        this.parameters = agent.parameters();
        this.rollout = rollout;
        this.context = context;
        // PPO's loss is TRPO's where nothing is clipped.
        this.noClip = backend.memory().allocate(backend.memory().floatType(), 1);
        backend.memory().fill(noClip, Double.POSITIVE_INFINITY);
        this.loss = new PpoLoss(0, 0, 0, 1f / rowsOfAll());
        int rowsPerUnit = agent.kind().stepsPerUnit(rollout.steps());
        int units = rollout.rows() / rowsPerUnit;
        this.order = new MinibatchOrder(backend, units);
        this.standard = new StandardAdvantages(backend, collective, rollout.rows(), 1);
        this.shards = new Shards(backend, agent.kind(), parameters, rollout, rowsPerUnit, units);
        this.fisher = new FisherVectorProduct(agent, context, shards, order.all(), config.cgDamping(), collective);
        this.solver = new ConjugateGradient(backend, Math.toIntExact(parameters.length()), config.cgIterations());
        this.valueFit = new ValueFit(config, agent, rollout, context, shards, order.all(), collective);
        this.advantages = backend.memory().allocate(backend.memory().floatType(), rollout.rows());
        this.oldPolicy = backend.memory()
                .allocate(backend.memory().floatType(), (long) rollout.rows() * distribution.parameterCount());
        this.oldParameters = parameters.newFlatArray();
        this.gradient = parameters.newFlatArray();
        this.direction = parameters.newFlatArray();
        this.displacement = parameters.newFlatArray();
        this.stepLength = backend.memory().allocate(backend.memory().floatType(), 1);
        int records = shards.count() * PpoLoss.STATISTICS;
        this.reportOnHost = new float[records + shards.count() + 2];
        this.report = backend.memory().allocate(backend.memory().floatType(), reportOnHost.length);
        this.statistics = report.slice(0, records);
        this.divergences = report.slice(records, shards.count());
        this.squares = report.slice((long) records + shards.count(), 2);
    }

    @Override
    public UpdateStatistics update(double progress, long seed, long iteration, long step) {
        rollout.estimateAdvantages(backend, config.rollout());
        if (config.normalizeAdvantage()) {
            standard.look(rollout);
            standard.prepare(order);
        }
        Step taken = improvePolicy(config.maxKlAt(progress), step);
        double learningRate = config.optimizer().learningRateAt(progress);
        valueFit.fit(learningRate, seed, iteration, step);
        return new UpdateStatistics(taken.loss, taken.fraction, learningRate, Math.sqrt(squareOnHost(0)));
    }

    /** The policy after a step, and the share of the way to the edge of the trust region that it went. */
    private record Step(LossStatistics loss, double fraction) {}

    private Step improvePolicy(double maxKl, long step) {
        if (collective.isCapturable()) {
            if (directionStep == null) {
                directionStep = backend.capture(this::findDirection);
            }
            directionStep.replay();
        } else {
            findDirection();
        }
        backend.memory().download(report, reportOnHost, 0);
        LossStatistics before = statistics(0);
        before.checkFinite(step);
        float curvature = squareOnHost(1);
        NonFiniteException.check("gradient norm", squareOnHost(0), step);
        NonFiniteException.check("curvature along the natural gradient", curvature, step);

        backend.memory().copy(parameters.values(), oldParameters);
        if (curvature > 0) {
            double edge = Math.sqrt(2 * maxKl / curvature);
            double fraction = 1;
            for (int i = 0; i < config.lineSearchSteps(); i++) {
                move(-fraction * edge);
                LossStatistics after = evaluate();
                if (after.policyLoss() < before.policyLoss() && after.approximateKl() <= maxKl) {
                    return new Step(after, fraction);
                }
                fraction *= config.lineSearchFactor();
            }
            backend.memory().copy(oldParameters, parameters.values());
        }
        return new Step(before, 0);
    }

    /** Fills in gradient and direction, and statistics and distribution of the policy as it is. */
    private void findDirection() {
        backend.memory().copy(rollout.advantages(), advantages);
        if (config.normalizeAdvantage()) {
            standard.standardize(0, advantages);
        }
        DeviceArray sum = shards.sumGradients(order.all(), shard -> {
            try (Tape tape = Tape.recording(backend)) {
                Shards.Played played = shard.played(tape, shard.part(advantages, 1), noClip);
                Tensor outputs = policy(shard, played);
                ActionDistribution.Loss gradients = loss(tape, shard, played, outputs);
                tape.gradientsInto(gradients.inputs(), gradients.gradients(), parameters, shard.gradient());
                backend.memory()
                        .copy(
                                distribution.parameters(outputs).array(),
                                shard.part(oldPolicy, distribution.parameterCount()));
            }
        });
        backend.memory().copy(sum, gradient);
        collective.allReduceSum(gradient);
        solver.solve(fisher, gradient, direction);
        solver.dot(gradient, gradient, squares.slice(0, 1));
        solver.curvature(gradient, direction, squares.slice(1, 1));
    }

    /** What determines the distribution of actions, [rows, outputs]. */
    private Tensor policy(Shards.Shard shard, Shards.Played played) {
        return distribution.restrict(context.policy(played.observations(), shard.units()), played.masks());
    }

    private ActionDistribution.Loss loss(Tape tape, Shards.Shard shard, Shards.Played played, Tensor outputs) {
        Tensor values = tape.constant(played.batch().oldValues(), shard.rows(), 1);
        return distribution.loss(
                tape,
                loss,
                new ActorCritic.Outputs(outputs, values),
                played.batch(),
                statistics.slice((long) shard.index() * PpoLoss.STATISTICS, PpoLoss.STATISTICS));
    }

    private void move(double length) {
        int[] shape = {Math.toIntExact(parameters.length())};
        int[] stride = {1};
        backend.memory().fill(stepLength, length);
        backend.math().zip(BinaryOp.MULTIPLY, shape, direction, stride, stepLength, new int[] {0}, displacement);
        backend.math().zip(BinaryOp.ADD, shape, oldParameters, stride, displacement, stride, parameters.values());
    }

    private LossStatistics evaluate() {
        if (evaluationStep == null) {
            evaluationStep = backend.capture(this::comparePolicies);
        }
        evaluationStep.replay();
        backend.memory().download(report, reportOnHost, 0);
        int first = (int) statistics.length();
        double sum = 0;
        for (int shard = 0; shard < shards.count(); shard++) {
            sum += reportOnHost[first + shard];
        }
        double ofAll = 0;
        for (double[] ofMember : collective.gather(new double[] {sum})) {
            ofAll += ofMember[0];
        }
        return statistics(ofAll / rowsOfAll());
    }

    /** Fills in statistics and divergences of the policy as it is now from what it was. */
    private void comparePolicies() {
        shards.forEach(order.all(), shard -> {
            try (Tape tape = Tape.inference(backend)) {
                Shards.Played played = shard.played(tape, shard.part(advantages, 1), noClip);
                Tensor outputs = policy(shard, played);
                loss(tape, shard, played, outputs);
                int width = distribution.parameterCount();
                Tensor old = tape.constant(shard.part(oldPolicy, width), shard.rows(), width);
                DeviceArray perRow = distribution
                        .divergence(old, distribution.parameters(outputs))
                        .array();
                backend.math().reduce(ReduceOp.SUM, 1, shard.rows(), 1, perRow, divergences.slice(shard.index(), 1));
            }
        });
    }

    /** Of what was downloaded. */
    private LossStatistics statistics(double divergence) {
        return LossStatistics.of(reportOnHost, (int) statistics.length(), rowsOfAll(), collective)
                .withDivergence(divergence);
    }

    /** Rows that all members learn from. */
    private long rowsOfAll() {
        return (long) rollout.rows() * collective.size();
    }

    private float squareOnHost(int index) {
        return reportOnHost[reportOnHost.length - 2 + index];
    }

    @Override
    public DeviceArray gradient() {
        return gradient;
    }

    @Override
    public Map<String, DeviceArray> persistent() {
        return valueFit.persistent();
    }

    @Override
    public void close() {
        for (CapturedStep step : new CapturedStep[] {directionStep, evaluationStep}) {
            if (step != null) {
                step.close();
            }
        }
        standard.close();
        valueFit.close();
        solver.close();
        fisher.close();
        shards.close();
        order.close();
        for (DeviceArray array : List.of(
                noClip, advantages, oldPolicy, oldParameters, gradient, direction, displacement, stepLength, report)) {
            array.release();
        }
    }
}
