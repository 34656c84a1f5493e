// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Ranks of a run that are threads of a test. */
final class Ranks {
    static final Patience PATIENCE = new Patience(20_000, 3_000);

    private Ranks() {}

    interface Work {
        void run(@Nullable SocketRanks ranks) throws Exception;
    }

    static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    static RankSettings settings(int rank, int size, int port, String token) {
        return new RankSettings(rank, size, rank, "127.0.0.1", port, token, "sockets");
    }

    /** Lets each rank work; rethrows the first failure. A single one is given none. */
    static void run(int size, Work work) throws Exception {
        if (size == 1) {
            work.run(null);
            return;
        }
        int port = freePort();
        List<Throwable> failures = failures(size, rank -> {
            try (SocketRanks ranks = SocketRanks.connect(settings(rank, size, port, "secret"), Map.of(), PATIENCE)) {
                work.run(ranks);
            }
        });
        for (Throwable failure : failures) {
            if (failure != null) {
                throw new AssertionError(failure.getMessage(), failure);
            }
        }
    }

    interface OfRank {
        void run(int rank) throws Exception;
    }

    /** What each rank fails of, in order; null for one that doesn't. */
    static List<@Nullable Throwable> failures(int size, OfRank work) throws InterruptedException {
        @Nullable Throwable[] failures = new Throwable[size];
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            int rank = i;
            Thread thread = new Thread(
                    () -> {
                        try {
                            work.run(rank);
                        } catch (Throwable e) {
                            failures[rank] = e;
                        }
                    },
                    "rank " + rank);
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        List<@Nullable Throwable> all = new ArrayList<>();
        for (Throwable failure : failures) {
            all.add(failure);
        }
        return all;
    }
}
