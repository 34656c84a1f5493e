// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

import java.util.Optional;
import java.util.function.IntConsumer;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceSharing;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.EnvironmentOps;
import org.fovea.backend.rl.RlOps;

/**
 * A device: memory, an ordered stream of work and the operations on it. Operations take flat arrays and explicit shapes.
 * They may return before the work is done; a download waits for it.
 *
 * <p>A backend may be used from one thread at a time, except inside {@link #forEachShard}. Its results are a function of
 * inputs and seeds only: the same on one thread and on sixteen, bit for bit.
 */
public interface Backend extends AutoCloseable {

    /** Arrays, scopes and transfers. */
    Memory memory();

    /** Products, maps, reductions, gathers and random numbers. */
    MathOps math();

    /** Attention and its derivatives. */
    AttentionOps attention();

    /** Sampling, advantages, policy losses and the optimiser's step. */
    RlOps rl();

    /** Environments that the device plays itself; by default there are none. */
    default EnvironmentOps environments() {
        return EnvironmentOps.NONE;
    }

    /** The way to work on another library's arrays in place; none where arrays are not in memory that libraries share. */
    default Optional<DeviceSharing> sharing() {
        return Optional.empty();
    }

    /** Short lower-case name: {@code cpu}, {@code cuda}. */
    String name();

    /** One line for people: device, lanes or architecture, threads. */
    String description();

    /**
     * Into how many pieces a batch of {@code units} independent units should be cut. Depends on {@code units} and the
     * kind of device alone, never on the number of threads, since the cut decides the order of summation.
     */
    int shards(int units);

    /** How many bodies of {@link #forEachShard} may run at a time. */
    default int shardsAtOnce() {
        return 1;
    }

    /**
     * Runs {@code body} once for each shard in {@code [0, count)}, concurrently where the device is made of several
     * cores. Operations called in the body run to their end on the thread that runs the body, which may open scopes of
     * its own. The first exception of a body is thrown here after all have ended. Not reentrant.
     */
    void forEachShard(int count, IntConsumer body);

    /**
     * Records the operations that {@code body} issues, to be run as one by {@link CapturedStep#replay}. Capturing itself
     * runs none of them. A device runs {@code body} here, once; a backend that runs operations at once runs it at each
     * replay instead, and what it throws comes from there.
     *
     * <p>The body must issue the same operations on the same arrays whenever it is run. What changes from replay to replay
     * lies in arrays: a {@link RandomRange#counter}, the state of {@link RlOps#adam}. The arrays must outlive the step, but for
     * those of scopes that the body opens and closes: their memory belongs to the step.
     *
     * <p>Uploads, downloads, {@link #synchronize}, {@link #seconds}, {@link Memory#allocate}, {@link DeviceArray#release}
     * and other steps have no place in it and throw {@link IllegalStateException}. After an exception of the body nothing
     * of the step remains, and the backend is as before.
     */
    CapturedStep capture(Runnable body);

    /**
     * {@link #capture}, of a step that will be replayed for a long time while little else is done. A backend that runs operations at once
     * may keep them here, with memory of their own, so that a replay checks and allocates nothing; where it doesn't, this is capture.
     */
    default CapturedStep record(Runnable body) {
        return capture(body);
    }

    /** Seconds that the device takes for what {@code work} issues, once everything issued before is done. */
    default double seconds(Runnable work) {
        synchronize();
        long start = System.nanoTime();
        work.run();
        synchronize();
        return (System.nanoTime() - start) * 1e-9;
    }

    /** Waits until every operation issued so far has run, and throws what any of them reported. */
    void synchronize();

    /** Lets {@link #calls} tell from now on for how long the device was idle, which makes each wait some microseconds longer. */
    default void measureIdleTime() {}

    /** What was asked of the device so far. */
    default DeviceCalls calls() {
        return DeviceCalls.NONE;
    }

    /** Frees everything. Closing twice is harmless; use after that throws {@link IllegalStateException}. */
    @Override
    void close();
}
