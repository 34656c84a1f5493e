// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.backend.Partition;
import org.jspecify.annotations.Nullable;

/**
 * Batches as one. They step on the threads of a pool where that is faster, which is measured: else one behind the other on the
 * caller's, since handing a step over takes longer than a quick environment's step.
 */
public final class JoinedBatch implements VectorEnvironment {
    /** Two threads save half of this, which is more than handing over takes. */
    private static final double SLOW_NANOS = 200_000;

    /** Below this it is quick again. */
    private static final double QUICK_NANOS = 100_000;

    /** A step counts as no longer than this in the mean. */
    private static final double LONGEST_NANOS = 4 * SLOW_NANOS;

    /** One step this long is enough: it costs more to take another like it than to be wrong for a few quick ones. */
    private static final long DECISIVE_NANOS = 5_000_000;

    /** Weight of the newest step in the mean. */
    private static final double NEWEST = 1.0 / 8;

    private final Part[] parts;
    private final int count;
    private final int size;
    private final int choices;
    private final int values;
    private final int choiceCount;
    private final float[] reported;
    private final @Nullable EnvironmentThreads threads;
    private final Share whole;

    /** What a step of all takes on one thread, a moving mean. */
    private double meanNanos;

    private boolean slow;

    /**
     * Makes a batch of each number of environments. How many it is joined of depends on the threads, which makes no difference to
     * what is played.
     *
     * @param callers batches that may be asked for a step at a time
     */
    public static List<JoinedBatch> createAll(
            EnvironmentSpec spec, EnvironmentThreads threads, int callers, int... counts) {
        // As many as are asked for a step at a time can occupy every thread, and so can each half of all.
        int each = Math.max(
                ceiling(threads.count(), Math.min(callers, counts.length)),
                ceiling(2 * threads.count(), counts.length));
        int[] parts = Arrays.stream(counts)
                .map(count -> spec.factory().stepsSingly() ? Math.min(count, each) : 1)
                .toArray();
        int[] sizes = IntStream.range(0, counts.length)
                .flatMap(batch ->
                        IntStream.range(0, parts[batch]).map(part -> Partition.size(counts[batch], part, parts[batch])))
                .toArray();
        List<VectorEnvironment> made = spec.createAll(sizes);
        List<JoinedBatch> joined = new ArrayList<>();
        int from = 0;
        for (int ofBatch : parts) {
            joined.add(new JoinedBatch(made.subList(from, from + ofBatch), threads));
            from += ofBatch;
        }
        return joined;
    }

    private static int ceiling(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    /** A batch of each number of environments, which a kernel steps; see {@link DeviceBatch#createAll}. */
    public static List<JoinedBatch> createOnDevice(Backend backend, EnvironmentSpec spec, int... counts) {
        return DeviceBatch.createAll(backend, spec, counts).stream()
                .map(batch -> new JoinedBatch(List.of(batch)))
                .toList();
    }

    /** The batch that a kernel steps, if this is one. */
    public Optional<DeviceBatch> onDevice() {
        return parts[0].environment instanceof DeviceBatch device ? Optional.of(device) : Optional.empty();
    }

    /** Batches that step on the caller's thread. */
    JoinedBatch(List<VectorEnvironment> batches) {
        this(batches, null);
    }

    private JoinedBatch(List<VectorEnvironment> batches, @Nullable EnvironmentThreads threads) {
        VectorEnvironment any = batches.get(0);
        this.threads = threads;
        size = any.observationSpace().size();
        choices = Schema.of(any.actionSpace()).choices().length;
        values = choices == 0 ? any.actionSpace().size() : 0;
        choiceCount = any.newActionMasks().length / any.count();
        parts = new Part[batches.size()];
        whole = new Share(0, parts.length);
        int total = 0;
        for (int i = 0; i < parts.length; i++) {
            parts[i] = new Part(batches.get(i), total, parts.length == 1);
            total += batches.get(i).count();
        }
        count = total;
        reported = new float[count];
    }

    /** One of the batches. Its arrays are its own, unless it is the only one. */
    private final class Part implements Runnable {
        private final VectorEnvironment environment;
        private final int first;
        private final boolean alone;
        private final StepBatch result;
        private final boolean[] allowed;
        private int[] choice;
        private float[] value;

        /** What the step under way writes, and whose it is. */
        private StepBatch all;

        private Share share;
        private long nanos;
        private @Nullable Throwable failure;

        Part(VectorEnvironment environment, int first, boolean alone) {
            this.environment = environment;
            this.first = first;
            this.alone = alone;
            int own = alone ? 0 : environment.count();
            result = StepBatch.allocate(own, size);
            all = result;
            share = whole;
            choice = new int[own * choices];
            value = new float[own * values];
            allowed = new boolean[own * choiceCount];
        }

        /** Notes which step to take next. */
        void prepare(int[] allChoices, float[] allValues, StepBatch ofAll) {
            all = ofAll;
            if (alone) {
                choice = allChoices;
                value = allValues;
            } else {
                System.arraycopy(allChoices, first * choices, choice, 0, choice.length);
                System.arraycopy(allValues, first * values, value, 0, value.length);
            }
        }

        /** Takes it and passes on what came of it. */
        void step() {
            environment.step(choice, value, alone ? all : result);
            if (alone) {
                return;
            }
            int own = environment.count();
            System.arraycopy(result.observations(), 0, all.observations(), first * size, own * size);
            System.arraycopy(result.rewards(), 0, all.rewards(), first, own);
            System.arraycopy(result.terminated(), 0, all.terminated(), first, own);
            System.arraycopy(result.truncated(), 0, all.truncated(), first, own);
            for (int i = 0; i < own; i++) {
                if (WrappedBatch.ended(result, i)) {
                    System.arraycopy(
                            result.finalObservations(), i * size, all.finalObservations(), (first + i) * size, size);
                }
            }
            System.arraycopy(environment.reportedRewards(result), 0, reported, first, own);
        }

        @Override
        public void run() {
            long start = System.nanoTime();
            try {
                step();
            } catch (Throwable thrown) {
                failure = thrown;
            }
            long now = System.nanoTime();
            nanos = now - start;
            share.ended(now);
        }
    }

    /** Some of the batches, which step while others do, or while something else is done. */
    public final class Share {
        private final int from;
        private final int to;
        private final AtomicInteger running = new AtomicInteger();
        private volatile @Nullable Thread waiting;
        private volatile long endedNanos;

        private Share(int from, int to) {
            this.from = from;
            this.to = to;
        }

        /** The first of its environments. */
        public int first() {
            return parts[from].first;
        }

        /** One after the last of its environments. */
        public int end() {
            return to == parts.length ? count : parts[to].first;
        }

        /**
         * Lets them begin a step, as {@link VectorEnvironment#step}; {@link #await} has to follow.
         *
         * @param result rows of these environments are written
         */
        public void start(int[] allChoices, float[] allValues, StepBatch result) {
            running.set(to - from);
            for (int i = from; i < to; i++) {
                Part part = parts[i];
                part.prepare(allChoices, allValues, result);
                part.share = this;
                requireThreads().run(part);
            }
        }

        private void ended(long now) {
            endedNanos = now;
            if (running.decrementAndGet() == 0) {
                LockSupport.unpark(waiting);
            }
        }

        /** Waits until all that began have ended their step. */
        public void settle() {
            Thread caller = Thread.currentThread();
            boolean interrupted = false;
            waiting = caller;
            while (running.get() > 0) {
                LockSupport.park(this);
                // One that is interrupted would not be parked again.
                interrupted |= Thread.interrupted();
            }
            waiting = null;
            if (interrupted) {
                caller.interrupt();
            }
        }

        /** The same, and throws what the first of those threw that failed. */
        public void await() {
            settle();
            Throwable first = null;
            for (int i = from; i < to; i++) {
                Throwable failure = parts[i].failure;
                parts[i].failure = null;
                if (first == null) {
                    first = failure;
                } else if (failure != null && failure != first) {
                    first.addSuppressed(failure);
                }
            }
            if (first instanceof Error error) {
                throw error;
            }
            if (first != null) {
                throw (RuntimeException) first;
            }
        }

        /** When the last of them ended its step, by {@link System#nanoTime}. */
        public long endedNanos() {
            return endedNanos;
        }

        /** {@link VectorEnvironment#actionMasks} of these, in their rows. */
        public void actionMasks(boolean[] all) {
            for (int i = from; i < to; i++) {
                Part part = parts[i];
                if (part.alone) {
                    part.environment.actionMasks(all);
                } else {
                    part.environment.actionMasks(part.allowed);
                    System.arraycopy(part.allowed, 0, all, part.first * choiceCount, part.allowed.length);
                }
            }
        }
    }

    private EnvironmentThreads requireThreads() {
        if (threads == null) {
            throw new IllegalStateException("these environments have no threads to step on");
        }
        return threads;
    }

    /** All of them, as one share or as two of about the same size, if there are two. */
    public List<Share> shares(boolean halves) {
        int half = parts.length / 2;
        return halves && half > 0 ? List.of(new Share(0, half), new Share(half, parts.length)) : List.of(whole);
    }

    @Override
    public void step(int[] allChoices, float[] allValues, StepBatch result) {
        if (slow && threads != null && parts.length > 1) {
            whole.start(allChoices, allValues, result);
            whole.await();
            long nanos = 0;
            for (Part part : parts) {
                nanos += part.nanos;
            }
            took(nanos);
        } else {
            long start = System.nanoTime();
            for (Part part : parts) {
                part.prepare(allChoices, allValues, result);
                part.step();
            }
            took(System.nanoTime() - start);
        }
    }

    private void took(long nanos) {
        // One that takes long among quick ones was interrupted by something else.
        meanNanos += NEWEST * (Math.min((double) nanos, LONGEST_NANOS) - meanNanos);
        slow = nanos > DECISIVE_NANOS || meanNanos > (slow ? QUICK_NANOS : SLOW_NANOS);
    }

    /** The batch that environment {@code i} is in. */
    private Part part(int i) {
        int part = parts.length - 1;
        while (parts[part].first > i) {
            part--;
        }
        return parts[part];
    }

    @Override
    public int count() {
        return count;
    }

    @Override
    public Space observationSpace() {
        return parts[0].environment.observationSpace();
    }

    @Override
    public Space actionSpace() {
        return parts[0].environment.actionSpace();
    }

    @Override
    public void reset(long seed, int firstIndex, float[] observations) {
        for (Part part : parts) {
            float[] rows = part.alone ? observations : part.result.observations();
            part.environment.reset(seed, firstIndex + part.first, rows);
            if (!part.alone) {
                System.arraycopy(rows, 0, observations, part.first * size, rows.length);
            }
        }
    }

    @Override
    public void restart(int i, float[] observations) {
        Part part = part(i);
        if (part.alone) {
            part.environment.restart(i, observations);
            return;
        }
        float[] rows = part.result.observations();
        part.environment.restart(i - part.first, rows);
        System.arraycopy(rows, (i - part.first) * size, observations, i * size, size);
    }

    @Override
    public float[] reportedRewards(StepBatch last) {
        return parts.length == 1 ? parts[0].environment.reportedRewards(last) : reported;
    }

    @Override
    public boolean masksActions() {
        return parts[0].environment.masksActions();
    }

    @Override
    public void actionMasks(boolean[] all) {
        whole.actionMasks(all);
    }

    @Override
    public @Nullable Drawable drawable(int i) {
        Part part = part(i);
        return part.environment.drawable(i - part.first);
    }

    /** Called on whichever thread steps the environment. */
    @Override
    public void onEpisodeEnd(@Nullable IntConsumer listener) {
        for (Part part : parts) {
            part.environment.onEpisodeEnd(listener == null ? null : i -> listener.accept(part.first + i));
        }
    }

    @Override
    public boolean canSaveState() {
        boolean can = true;
        for (Part part : parts) {
            can &= part.environment.canSaveState();
        }
        return can;
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        Part part = part(i);
        part.environment.saveState(i - part.first, out);
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        Part part = part(i);
        part.environment.restoreState(i - part.first, in);
    }

    @Override
    public void close() {
        RuntimeException failure = null;
        for (Part part : parts) {
            try {
                part.environment.close();
            } catch (RuntimeException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
