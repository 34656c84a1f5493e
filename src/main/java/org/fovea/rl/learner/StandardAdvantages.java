// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import org.fovea.backend.Backend;
import org.fovea.backend.Partition;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.collective.Collective;
import org.fovea.rl.policy.RunningMoments;
import org.fovea.rl.rollout.Rollout;

/**
 * Advantages less their mean, divided by their standard deviation (that of a population) plus 1e-8: those of a minibatch, to which each
 * member of a run has its part. Where there is one member this is {@link org.fovea.backend.math.MathOps#standardize}; where there are
 * several, means and deviations are computed on the host before the minibatches of an epoch are learned from.
 */
public final class StandardAdvantages implements AutoCloseable {
    private static final double EPSILON = 1e-8;
    private static final int[] STRIDE = {1};
    private static final int[] BROADCAST = {0};

    private final Backend backend;
    private final Collective collective;
    private final int minibatches;
    private final float[] advantages;
    private final float[] shiftsAndScales;
    private final DeviceArray onDevice;

    /** @param rows of this member's rollout */
    public StandardAdvantages(Backend backend, Collective collective, int rows, int minibatches) {
        this.backend = backend;
        this.collective = collective;
        this.minibatches = minibatches;
        boolean isAlone = collective.size() == 1;
        this.advantages = new float[isAlone ? 0 : rows];
        this.shiftsAndScales = new float[isAlone ? 0 : 2 * minibatches];
        this.onDevice = backend.memory().allocate(backend.memory().floatType(), shiftsAndScales.length);
    }

    /** Looks at a rollout whose advantages have been estimated. */
    public void look(Rollout rollout) {
        if (collective.size() > 1) {
            backend.memory().download(rollout.advantages(), advantages, 0);
        }
    }

    /** Computes what the minibatches of an order are shifted and scaled by; called by all members. */
    public void prepare(MinibatchOrder order) {
        if (collective.size() == 1) {
            return;
        }
        int rowsPerUnit = advantages.length / order.units();
        double[] own = new double[minibatches * 3];
        for (int minibatch = 0; minibatch < minibatches; minibatch++) {
            RunningMoments moments = new RunningMoments(1);
            int from = Partition.start(order.units(), minibatch, minibatches);
            int to = from + Partition.size(order.units(), minibatch, minibatches);
            for (int position = from; position < to; position++) {
                moments.include(advantages, order.unit(position) * rowsPerUnit, rowsPerUnit);
            }
            System.arraycopy(moments.save(), 0, own, 3 * minibatch, 3);
        }
        double[][] ofAll = collective.gather(own);
        for (int minibatch = 0; minibatch < minibatches; minibatch++) {
            RunningMoments moments = new RunningMoments(1);
            for (double[] ofMember : ofAll) {
                moments.merge(ofMember, 3 * minibatch);
            }
            shiftsAndScales[2 * minibatch] = (float) moments.mean(0);
            shiftsAndScales[2 * minibatch + 1] = (float) (1 / (Math.sqrt(moments.variance(0)) + EPSILON));
        }
        backend.memory().upload(shiftsAndScales, 0, onDevice);
    }

    /** Standardises this member's part of a minibatch in place; may be captured. */
    public void standardize(int minibatch, DeviceArray part) {
        if (collective.size() == 1) {
            backend.math().standardize((float) EPSILON, part, part);
            return;
        }
        int[] shape = {Math.toIntExact(part.length())};
        DeviceArray shift = onDevice.slice(2L * minibatch, 1);
        DeviceArray scale = onDevice.slice(2L * minibatch + 1, 1);
        backend.math().zip(BinaryOp.SUBTRACT, shape, part, STRIDE, shift, BROADCAST, part);
        backend.math().zip(BinaryOp.MULTIPLY, shape, part, STRIDE, scale, BROADCAST, part);
    }

    @Override
    public void close() {
        onDevice.release();
    }
}
