// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import org.fovea.backend.Backend;
import org.fovea.backend.Partition;
import org.fovea.backend.math.Philox;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.rl.rollout.RandomStreams;

/**
 * The units of a rollout in an order, on the device: single steps, or the whole segments of environments where steps must
 * stay together.
 */
public final class MinibatchOrder implements AutoCloseable {
    /** 2^64 divided by the golden ratio: multiples of it differ in many bits. */
    private static final long GOLDEN_RATIO = 0x9E3779B97F4A7C15L;

    private final Backend backend;
    private final int[] order;
    private final int[] bits;
    private final long keyOfMember;
    private final DeviceArray onDevice;

    /** An order for the only member of a run. */
    public MinibatchOrder(Backend backend, int units) {
        this(backend, units, 0);
    }

    /** @param member of a run, each of which has an order of its own */
    public MinibatchOrder(Backend backend, int units, int member) {
        this.keyOfMember = member * GOLDEN_RATIO;
        this.backend = backend;
        this.order = new int[units];
        this.bits = new int[units];
        this.onDevice = backend.memory().allocate(DType.I32, units);
        for (int i = 0; i < units; i++) {
            order[i] = i;
        }
        backend.memory().upload(order, 0, onDevice);
    }

    /** Another random order, which depends on the seed, the epoch and the member alone. */
    public void shuffle(long seed, long epoch) {
        Philox.fill(seed ^ keyOfMember, RandomStreams.shuffle(epoch), bits);
        for (int i = 0; i < order.length; i++) {
            int other = (int) ((bits[i] & 0xFFFFFFFFL) * (i + 1) >>> 32);
            order[i] = order[other];
            order[other] = i;
        }
        backend.memory().upload(order, 0, onDevice);
    }

    /** All units. */
    public DeviceArray all() {
        return onDevice;
    }

    /** Minibatch {@code index} of {@code count} of about the same size. */
    public DeviceArray minibatch(int index, int count) {
        return onDevice.slice(Partition.start(order.length, index, count), Partition.size(order.length, index, count));
    }

    /** The unit at {@code position} of the order. */
    int unit(int position) {
        return order[position];
    }

    /** Number of units. */
    int units() {
        return order.length;
    }

    @Override
    public void close() {
        onDevice.release();
    }
}
