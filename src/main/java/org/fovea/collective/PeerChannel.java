// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/**
 * The connection between two ranks that exchange numbers: both send and receive at once, in chunks, so that one computes on what has
 * come while the rest is under way.
 */
final class PeerChannel implements AutoCloseable {
    private static final int CHUNK_BYTES = 1 << 17;

    /** Looks for bytes this many times before it sleeps. */
    private static final int SPINS = 50;

    private static final long MOST_MILLIS_ASLEEP = 250;

    private final int rank;
    private final SocketChannel channel;
    private final Selector selector;
    private final SelectionKey key;
    private final ByteBuffer out = chunk();
    private final ByteBuffer in = chunk();
    private final float[] numbers = new float[CHUNK_BYTES / Float.BYTES];

    /** @param channel to rank {@code rank}, past its {@link Admission} */
    PeerChannel(int rank, SocketChannel channel) throws IOException {
        this.rank = rank;
        this.channel = channel;
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.configureBlocking(false);
        this.selector = Selector.open();
        this.key = channel.register(selector, 0);
    }

    private static ByteBuffer chunk() {
        return ByteBuffer.allocateDirect(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The other end. */
    int rank() {
        return rank;
    }

    /**
     * Sends {@code [sendFrom, sendFrom + sendCount)} of the values, as they are now, and adds what comes to, or puts it in place of,
     * those from {@code receiveFrom} on. The ranges are the same, or apart.
     *
     * @throws IOException if the other end is gone, or at another operation
     */
    void exchange(float[] values, int sendFrom, int sendCount, int receiveFrom, int receiveCount, boolean add)
            throws IOException {
        boolean isSameRange = sendFrom == receiveFrom && sendCount > 0;
        long sent = 0;
        int received = 0;
        long toSend = (long) sendCount * Float.BYTES + Integer.BYTES;
        boolean isHeaderRead = false;
        out.clear().putInt(sendCount);
        int copied = Math.min(numbers.length - 1, sendCount);
        out.asFloatBuffer().put(values, sendFrom, copied);
        out.limit(Integer.BYTES + copied * Float.BYTES).rewind();
        in.clear().limit(Integer.BYTES);
        int idle = 0;
        while (sent < toSend || received < receiveCount || !isHeaderRead) {
            if (!out.hasRemaining() && copied < sendCount) {
                int count = Math.min(numbers.length, sendCount - copied);
                out.clear();
                out.asFloatBuffer().put(values, sendFrom + copied, count);
                out.limit(count * Float.BYTES);
                copied += count;
            }
            int written = out.hasRemaining() ? channel.write(out) : 0;
            sent += written;
            int read = 0;
            if (!isHeaderRead || received < receiveCount) {
                if (isHeaderRead) {
                    // What is yet to be copied must not be added to first.
                    int most = (isSameRange ? copied : receiveCount) - received;
                    in.limit(Math.min(in.capacity(), most * Float.BYTES));
                }
                read = in.hasRemaining() ? channel.read(in) : 0;
                if (read < 0) {
                    throw new IOException("the connection ended");
                }
                if (!isHeaderRead && !in.hasRemaining()) {
                    int count = in.flip().getInt();
                    if (count != receiveCount) {
                        throw new IOException("it sends " + count + " numbers where " + receiveCount
                                + " were expected: it is not the same program, or not at the same place");
                    }
                    in.clear();
                    isHeaderRead = true;
                } else if (isHeaderRead && read > 0) {
                    received += take(values, receiveFrom + received, add);
                }
            }
            idle = written > 0 || read > 0 ? 0 : idle + 1;
            if (idle > SPINS) {
                await(out.hasRemaining(), in.hasRemaining());
            } else if (idle > 0) {
                Thread.onSpinWait();
            }
        }
    }

    /** Takes in the whole numbers that have come; returns how many. */
    private int take(float[] values, int at, boolean add) {
        in.flip();
        int count = in.remaining() / Float.BYTES;
        if (add) {
            in.asFloatBuffer().get(numbers, 0, count);
            for (int i = 0; i < count; i++) {
                values[at + i] += numbers[i];
            }
        } else {
            in.asFloatBuffer().get(values, at, count);
        }
        in.position(count * Float.BYTES);
        in.compact();
        return count;
    }

    /** Sends bytes, and returns what the other sends. */
    byte[] exchange(byte[] bytes) throws IOException {
        ByteBuffer sending = ByteBuffer.allocate(Integer.BYTES + bytes.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(bytes.length)
                .put(bytes)
                .flip();
        ByteBuffer header = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer body = null;
        int idle = 0;
        while (sending.hasRemaining() || body == null || body.hasRemaining()) {
            int written = sending.hasRemaining() ? channel.write(sending) : 0;
            ByteBuffer receiving = body == null ? header : body;
            int read = receiving.hasRemaining() ? channel.read(receiving) : 0;
            if (read < 0) {
                throw new IOException("the connection ended");
            }
            if (body == null && !header.hasRemaining()) {
                int length = header.flip().getInt();
                if (length < 0) {
                    throw new IOException("it is not the same program, or not at the same place");
                }
                body = ByteBuffer.allocate(length);
                continue;
            }
            idle = written > 0 || read > 0 ? 0 : idle + 1;
            if (idle > SPINS) {
                await(sending.hasRemaining(), true);
            } else if (idle > 0) {
                Thread.onSpinWait();
            }
        }
        return body.array();
    }

    private void await(boolean writes, boolean reads) throws IOException {
        if (!channel.isOpen()) {
            throw new IOException("the connection was closed");
        }
        try {
            key.interestOps((writes ? SelectionKey.OP_WRITE : 0) | (reads ? SelectionKey.OP_READ : 0));
            selector.select(MOST_MILLIS_ASLEEP);
            selector.selectedKeys().clear();
        } catch (CancelledKeyException | ClosedSelectorException e) {
            throw new IOException("the connection was closed", e);
        }
    }

    /** May be called by another thread than that which exchanges: it sees an exception. */
    @Override
    public void close() throws IOException {
        try (selector) {
            channel.close();
        }
    }
}
