// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * The members of a run that one process has, each of them used by a thread of its own. What they give is added up, or put together,
 * here, and the sums of processes by {@link SocketRanks}: so all members of all processes are the leaves of one tree.
 */
public final class MemberGroup implements AutoCloseable {
    private static final int FEW = 4;

    private final @Nullable SocketRanks ranks;
    private final int count;
    private final List<Member> members = new ArrayList<>();

    /** What members gave for a sum; twice, since one may be at the next while others read the last. */
    private final float[][][] numbers;

    private final byte[][][] bytes;
    private final byte[][][] gathered = new byte[2][][];

    private final Object gate = new Object();
    private int arrived;
    private long passed;
    private @Nullable String failure;

    /**
     * Members {@code [first, first + count)} of the run, where {@code first} is {@code count} times the rank.
     *
     * @param ranks the processes of the run; null if this is the only one. Closed with this
     * @param count a power of two
     */
    public MemberGroup(@Nullable SocketRanks ranks, int count) {
        if (Integer.bitCount(count) != 1) {
            throw new IllegalArgumentException("the members of a process must be a power of two, got " + count);
        }
        this.ranks = ranks;
        this.count = count;
        this.numbers = new float[2][count][0];
        this.bytes = new byte[2][count][];
        for (int i = 0; i < count; i++) {
            members.add(new Member(i));
        }
    }

    /**
     * The way of one member to all others.
     *
     * @param index among those of this process
     * @param backend of its arrays
     */
    public Collective member(int index, Backend backend) {
        Member member = members.get(index);
        member.backend = backend;
        return member;
    }

    /** Tells all members that no member can go on. */
    public void fail(String reason) {
        noteFailure(reason);
        if (ranks != null) {
            ranks.fail(reason);
        }
    }

    private void noteFailure(String reason) {
        synchronized (gate) {
            if (failure == null) {
                failure = reason;
            }
            gate.notifyAll();
        }
    }

    /** Waits until all members of this process have come here. */
    private void meet() {
        synchronized (gate) {
            checkFailure();
            if (++arrived == count) {
                arrived = 0;
                passed++;
                gate.notifyAll();
                return;
            }
            long turn = passed;
            try {
                while (turn == passed) {
                    gate.wait();
                    if (turn == passed) {
                        checkFailure();
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CollectiveException("interrupted while it waited for the other members", e);
            }
        }
    }

    private void checkFailure() {
        if (failure != null) {
            throw new CollectiveException(failure);
        }
    }

    @Override
    public void close() {
        if (ranks != null) {
            ranks.close();
        }
    }

    /** One of the members; the backend is set before its first use. */
    private final class Member implements Collective {
        private final int index;
        private @Nullable Backend backend;
        private int turn;
        private float[] own = new float[0];

        Member(int index) {
            this.index = index;
        }

        @Override
        public int rank() {
            return (ranks == null ? 0 : ranks.rank() * count) + index;
        }

        @Override
        public int size() {
            return (ranks == null ? 1 : ranks.size()) * count;
        }

        @Override
        public void allReduceSum(DeviceArray array) {
            if (array.dtype() != DType.F32) {
                throw new IllegalArgumentException("members add up float32, got " + array.dtype());
            }
            int length = Math.toIntExact(array.length());
            float[][] all = numbers[turn];
            turn = 1 - turn;
            if (all[index].length < length) {
                all[index] = new float[length];
            }
            backend().memory().download(array, all[index], 0);
            if (count > 1) {
                meet();
            }
            // Not before, since it may have been too short.
            float[] sums = all[0];
            if (ranks == null && count <= FEW) {
                // To wait for each other once more would take longer than to add up all of it.
                sums = addFew(all, length);
            } else {
                if (index == 0) {
                    addUp(all, length);
                    if (ranks != null) {
                        sumOfRanks(sums, length);
                    }
                }
                if (count > 1) {
                    meet();
                }
            }
            backend().memory().upload(sums, 0, array);
        }

        private void addUp(float[][] all, int length) {
            for (int distance = 1; distance < count; distance *= 2) {
                for (int i = 0; i + distance < count; i += 2 * distance) {
                    float[] sum = all[i];
                    float[] added = all[i + distance];
                    for (int j = 0; j < length; j++) {
                        sum[j] += added[j];
                    }
                }
            }
        }

        /** The same of at most four, which stay as they are. */
        private float[] addFew(float[][] all, int length) {
            if (count == 1) {
                return all[0];
            }
            if (own.length < length) {
                own = new float[length];
            }
            float[] sums = own;
            float[] a = all[0];
            float[] b = all[1];
            if (count == 2) {
                for (int i = 0; i < length; i++) {
                    sums[i] = a[i] + b[i];
                }
                return sums;
            }
            float[] c = all[2];
            float[] d = all[3];
            for (int i = 0; i < length; i++) {
                sums[i] = (a[i] + b[i]) + (c[i] + d[i]);
            }
            return sums;
        }

        @Override
        public void broadcast(DeviceArray array, int root) {
            int length = Math.toIntExact(array.length());
            ByteBuffer own = ByteBuffer.allocate(rank() == root ? length * Float.BYTES : 0);
            float[] values = new float[length];
            if (rank() == root) {
                backend().memory().download(array, values, 0);
                own.asFloatBuffer().put(values);
            }
            ByteBuffer.wrap(gather(own.array())[root]).asFloatBuffer().get(values);
            backend().memory().upload(values, 0, array);
        }

        @Override
        public byte[][] gather(byte[] own) {
            if (count == 1) {
                return ranks == null ? new byte[][] {own} : ranks.gather(own);
            }
            int now = turn;
            turn = 1 - turn;
            bytes[now][index] = own;
            meet();
            if (index == 0) {
                gathered[now] = ranks == null ? bytes[now].clone() : gatherAll(ranks, bytes[now]);
            }
            meet();
            return gathered[now].clone();
        }

        private byte[][] gatherAll(SocketRanks between, byte[][] here) {
            ByteArrayOutputStream packed = new ByteArrayOutputStream();
            try (DataOutputStream out = new DataOutputStream(packed)) {
                for (byte[] one : here) {
                    out.writeInt(one.length);
                    out.write(one);
                }
            } catch (IOException e) {
                throw new IllegalStateException("arrays don't fail", e);
            }
            byte[][] all = new byte[size()][];
            int next = 0;
            byte[][] ofRanks;
            try {
                ofRanks = between.gather(packed.toByteArray());
            } catch (CollectiveException e) {
                noteFailure(String.valueOf(e.getMessage()));
                throw e;
            }
            for (byte[] ofRank : ofRanks) {
                ByteBuffer from = ByteBuffer.wrap(ofRank);
                while (from.hasRemaining()) {
                    all[next] = new byte[from.getInt()];
                    from.get(all[next++]);
                }
            }
            if (next != all.length) {
                throw new CollectiveException("ranks have " + next + " members together, expected " + all.length);
            }
            return all;
        }

        private void sumOfRanks(float[] values, int length) {
            try {
                Objects.requireNonNull(ranks).sum(values, length);
            } catch (CollectiveException e) {
                noteFailure(String.valueOf(e.getMessage()));
                throw e;
            }
        }

        private Backend backend() {
            return Objects.requireNonNull(backend);
        }

        @Override
        public void fail(String reason) {
            MemberGroup.this.fail(reason);
        }

        @Override
        public void whenFailed(Consumer<String> listener) {
            if (ranks != null) {
                ranks.whenFailed(listener);
            }
        }

        @Override
        public void close() {
            // The group belongs to whoever made it.
        }
    }
}
