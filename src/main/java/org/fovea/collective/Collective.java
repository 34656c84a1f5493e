// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.fovea.backend.memory.DeviceArray;

/**
 * One member's way to all members of a run, itself among them. Every method but {@link #fail} is called by all of them, in the same
 * order, with arrays of the same lengths; it returns once all have called it. Where one of them fails or goes away, the others'
 * calls throw a {@link CollectiveException} that names it.
 *
 * <p>Not for several threads at once.
 */
public interface Collective extends AutoCloseable {

    /** The only member of a run that is trained by one: nothing is exchanged. */
    static Collective single() {
        return SingleCollective.INSTANCE;
    }

    /** Which member this is, from 0 to {@link #size}. */
    int rank();

    /** Number of members. */
    int size();

    /**
     * Replaces each element with the sum over all members: ((0 + 1) + (2 + 3)) + ..., the same bits for all of them.
     *
     * @param array of the floating type that the member's device computes in, and of that device
     */
    void allReduceSum(DeviceArray array);

    /** Replaces each element with that of member {@code root}. */
    void broadcast(DeviceArray array, int root);

    /** What each member gave, in order; of any lengths. For numbers of the host: moments, statistics, states, decisions. */
    byte[][] gather(byte[] own);

    /** Waits until all have come here. */
    default void barrier() {
        gather(new byte[0]);
    }

    /** {@link #gather(byte[])} of numbers. */
    default double[][] gather(double... own) {
        ByteBuffer bytes = ByteBuffer.allocate(own.length * Double.BYTES);
        bytes.asDoubleBuffer().put(own);
        byte[][] all = gather(bytes.array());
        double[][] numbers = new double[all.length][];
        for (int i = 0; i < all.length; i++) {
            numbers[i] = new double[all[i].length / Double.BYTES];
            ByteBuffer.wrap(all[i]).asDoubleBuffer().get(numbers[i]);
        }
        return numbers;
    }

    /** Whether {@link #allReduceSum} may be issued in the body of {@link org.fovea.backend.Backend#capture}. */
    default boolean isCapturable() {
        return false;
    }

    /** Tells all others that this one cannot go on: their calls throw. Harmless where that is known already. */
    void fail(String reason);

    /**
     * Has {@code listener} called once with why no member can go on, by any thread and perhaps at once: for what waits on a device, where
     * no call can throw.
     */
    default void whenFailed(Consumer<String> listener) {}

    /** Leaves the others, who are expected to do the same. Closing twice is harmless. */
    @Override
    void close();
}
