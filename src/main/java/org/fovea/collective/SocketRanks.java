// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The processes of a run, connected with each other: rank {@code r} with each {@code r ^ 2^k}. They add by recursive doubling, long
 * vectors by halving and doubling (Thakur et al. 2005, doi:10.1177/1094342005051521), neighbours first: so each element is the sum by
 * one binary tree over the ranks in order, for every number of ranks, which is a power of two.
 *
 * <p>Numbers are exchanged by the thread that calls; threads of their own watch whether all are alive. Not for several threads at once,
 * but for {@link #fail} and {@link #failure}.
 */
public final class SocketRanks implements AutoCloseable {
    /** From this length on halves are exchanged: less is sent between four ranks and more, in twice as many turns. */
    static final int LONG = 1 << 15;

    /** How long one whose connection broke waits to be told why. */
    private static final long EXPLANATION_MILLIS = 2_000;

    private final RankSettings settings;
    private final List<PeerChannel> peers;
    private final List<ControlLink> links;
    private final AtomicReference<@Nullable String> failure = new AtomicReference<>();
    private final CountDownLatch failed = new CountDownLatch(1);
    private final List<Consumer<String>> listeners = new CopyOnWriteArrayList<>();
    private final Thread heart;
    private volatile boolean closed;

    /**
     * Finds the other ranks of the run, and waits for them.
     *
     * @param agreed what must be the same for all ranks, by a name for messages: version, specification, seed; in order
     * @throws CollectiveException if they cannot be found in time, or one of them differs
     */
    public static SocketRanks connect(RankSettings settings, Map<String, String> agreed, Patience patience) {
        if (Integer.bitCount(settings.size()) != 1) {
            throw new CollectiveException(
                    RankSettings.WORLD_SIZE + " must be a power of two over sockets, got " + settings.size());
        }
        try (Meeting meeting = new Meeting(settings, agreed, patience)) {
            return new SocketRanks(settings, meeting.hold(), patience);
        } catch (IOException e) {
            throw new CollectiveException("rank " + settings.rank() + " cannot join the run: " + e.getMessage(), e);
        }
    }

    private SocketRanks(RankSettings settings, Meeting.Connections connections, Patience patience) throws IOException {
        this.settings = settings;
        this.peers = connections.peers();
        this.links = connections.links(patience.silenceMillis(), this::heard);
        for (ControlLink link : links) {
            link.start();
        }
        this.heart = new Thread(() -> beat(patience.beatMillis()), "fovea-heart");
        heart.setDaemon(true);
        heart.start();
    }

    /** Which of the processes this is. */
    public int rank() {
        return settings.rank();
    }

    /** Number of processes. */
    public int size() {
        return settings.size();
    }

    private void beat(int millis) {
        try {
            while (!closed) {
                links.forEach(ControlLink::beat);
                Thread.sleep(millis);
            }
        } catch (InterruptedException e) {
            // It is closed.
        }
    }

    /** By a rank, or of one. */
    private void heard(String reason) {
        if (failure.compareAndSet(null, reason)) {
            if (rank() == 0) {
                links.forEach(link -> link.tell(reason));
            }
            breakOff();
            listeners.forEach(listener -> listener.accept(reason));
        }
    }

    /** Has {@code listener} called once with why no rank can go on, by any thread and perhaps at once. */
    public void whenFailed(Consumer<String> listener) {
        AtomicBoolean called = new AtomicBoolean();
        Consumer<String> once = reason -> {
            if (called.compareAndSet(false, true)) {
                listener.accept(reason);
            }
        };
        listeners.add(once);
        String reason = failure.get();
        if (reason != null) {
            once.accept(reason);
        }
    }

    /** Tells all other ranks that this one cannot go on. */
    public void fail(String reason) {
        if (failure.compareAndSet(null, reason)) {
            links.forEach(link -> link.tell(reason));
            breakOff();
            listeners.forEach(listener -> listener.accept(reason));
        }
    }

    /** Why no rank can go on; null where nothing is known. */
    public @Nullable String failure() {
        return failure.get();
    }

    private void breakOff() {
        failed.countDown();
        for (PeerChannel peer : peers) {
            try {
                peer.close();
            } catch (IOException e) {
                // It is to be of no more use, and is not.
            }
        }
    }

    /** Replaces the first {@code length} numbers by their sums over all ranks. */
    public void sum(float[] values, int length) {
        try {
            if (length < LONG || peers.size() < 2) {
                for (PeerChannel peer : peers) {
                    peer.exchange(values, 0, length, 0, length, true);
                }
            } else {
                sumByHalves(values, length);
            }
        } catch (IOException | RuntimeException e) {
            throw broken(e);
        }
    }

    /** Bytes that a rank of {@code size} sends for a sum of so many numbers. */
    public static long bytesSent(int size, int length) {
        int turns = Integer.numberOfTrailingZeros(size);
        return length < LONG || turns < 2
                ? (long) turns * length * Float.BYTES
                : 2L * length * Float.BYTES * (size - 1) / size;
    }

    /** Each keeps the sums of a part that is halved at each turn, and then they give them to each other. */
    private void sumByHalves(float[] values, int length) throws IOException {
        int[] starts = new int[peers.size()];
        int[] counts = new int[peers.size()];
        int start = 0;
        int count = length;
        for (int turn = 0; turn < peers.size(); turn++) {
            starts[turn] = start;
            counts[turn] = count;
            int half = count / 2;
            boolean keepsLower = rank() < peers.get(turn).rank();
            int kept = keepsLower ? start : start + half;
            int keptCount = keepsLower ? half : count - half;
            peers.get(turn)
                    .exchange(values, keepsLower ? start + half : start, count - keptCount, kept, keptCount, true);
            start = kept;
            count = keptCount;
        }
        for (int turn = peers.size() - 1; turn >= 0; turn--) {
            int other = rank() < peers.get(turn).rank() ? start + count : starts[turn];
            peers.get(turn).exchange(values, start, count, other, counts[turn] - count, false);
            start = starts[turn];
            count = counts[turn];
        }
    }

    /** What each rank gave, in order. */
    public byte[][] gather(byte[] own) {
        byte[][] all = new byte[size()][];
        all[rank()] = own;
        int known = 1;
        try {
            for (PeerChannel peer : peers) {
                int first = rank() / known * known;
                int others = peer.rank() / known * known;
                unpack(peer.exchange(pack(all, first, known)), all, others, known);
                known *= 2;
            }
            return all;
        } catch (IOException | RuntimeException e) {
            throw broken(e);
        }
    }

    private static byte[] pack(byte[][] all, int first, int count) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            for (int i = first; i < first + count; i++) {
                out.writeInt(all[i].length);
                out.write(all[i]);
            }
        }
        return bytes.toByteArray();
    }

    private static void unpack(byte[] packed, byte[][] all, int first, int count) {
        ByteBuffer from = ByteBuffer.wrap(packed);
        for (int i = first; i < first + count; i++) {
            all[i] = new byte[from.getInt()];
            from.get(all[i]);
        }
    }

    /** What is thrown once an exchange has failed, on any side. */
    private CollectiveException broken(Exception cause) {
        try {
            // Rank 0 may be about to say which of the others is to blame.
            if (failed.await(EXPLANATION_MILLIS, TimeUnit.MILLISECONDS)) {
                return new CollectiveException(Objects.requireNonNull(failure.get()), cause);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        String reason = "rank " + rank() + " cannot exchange numbers with another: " + cause.getMessage();
        fail(reason);
        return new CollectiveException(reason, cause);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        heart.interrupt();
        breakOff();
        for (ControlLink link : links) {
            try {
                link.close();
            } catch (IOException e) {
                // The other end sees that it is closed.
            }
        }
    }
}
