// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.function.Consumer;

/**
 * The connection between rank 0 and another on which they give signs of life, and say that one has failed. Its thread reads what
 * comes; nothing that comes, for too long, is a failure as well.
 */
final class ControlLink implements AutoCloseable {
    private static final int BEAT = 0;
    private static final int FAILED = 1;
    private static final int LEAVES = 2;

    private final int rank;
    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;
    private final Consumer<String> failed;
    private final int silenceMillis;
    private volatile boolean closed;

    /**
     * A link that is yet to be started.
     *
     * @param rank at the other end
     * @param failed told why no rank can go on, by several threads perhaps
     */
    ControlLink(
            int rank,
            Socket socket,
            DataInputStream in,
            DataOutputStream out,
            int silenceMillis,
            Consumer<String> failed) {
        this.rank = rank;
        this.socket = socket;
        this.in = in;
        this.out = out;
        this.silenceMillis = silenceMillis;
        this.failed = failed;
    }

    void start() throws IOException {
        socket.setSoTimeout(silenceMillis);
        Thread reader = new Thread(this::read, "fovea-rank-" + rank);
        reader.setDaemon(true);
        reader.start();
    }

    private void read() {
        try {
            while (true) {
                int what = in.readUnsignedByte();
                if (what == FAILED) {
                    failed.accept(in.readUTF());
                } else if (what == LEAVES) {
                    return;
                }
            }
        } catch (SocketTimeoutException e) {
            fail("rank " + rank + " has given no sign of life for " + silenceMillis / 1000 + " s: it is stopped, or"
                    + " out of reach");
        } catch (IOException e) {
            fail("rank " + rank + " has ended: its connection was closed");
        }
    }

    private void fail(String reason) {
        if (!closed) {
            failed.accept(reason);
        }
    }

    /** Gives a sign of life. */
    void beat() {
        send(BEAT, "");
    }

    /** Says that the run has failed. */
    void tell(String reason) {
        send(FAILED, reason);
    }

    private void send(int what, String reason) {
        try {
            synchronized (out) {
                out.writeByte(what);
                if (what == FAILED) {
                    out.writeUTF(reason);
                }
                out.flush();
            }
        } catch (IOException e) {
            // The thread that reads will see it, unless the other has said that it leaves.
        }
    }

    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            send(LEAVES, "");
            socket.close();
        }
    }
}
