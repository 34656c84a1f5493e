// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How processes come together, and what they do where one of them does not fit, fails, leaves or falls silent. */
@Timeout(60)
final class SocketRanksTest {
    private static final Patience SHORT = new Patience(1_500, 1_200);

    /** Of ranks that find each other in time also on a busy machine. */
    private static SocketRanks connectAll(int rank, int size, int port, Map<String, String> agreed) {
        return SocketRanks.connect(Ranks.settings(rank, size, port, "t"), agreed, Ranks.PATIENCE);
    }

    private static SocketRanks connect(int rank, int size, int port, String token, Map<String, String> agreed) {
        return SocketRanks.connect(Ranks.settings(rank, size, port, token), agreed, SHORT);
    }

    @Test
    void oneThatDiffersEndsAllByName() throws Exception {
        int port = Ranks.freePort();
        List<Throwable> failures = Ranks.failures(
                4,
                rank -> connectAll(rank, 4, port, Map.of("seed", rank == 2 ? "8" : "7"))
                        .close());
        assertThat(failures)
                .allSatisfy(failure -> assertThat(failure)
                        .isInstanceOf(CollectiveException.class)
                        .hasMessage("rank 2 differs from rank 0: its seed is 8, not 7"));
    }

    @Test
    void anotherNumberOfRanksIsNamed() throws Exception {
        int port = Ranks.freePort();
        List<Throwable> failures = Ranks.failures(
                2, rank -> connectAll(rank, rank == 0 ? 2 : 4, port, Map.of()).close());
        assertThat(failures)
                .allSatisfy(failure -> assertThat(failure)
                        .hasMessage("rank 1 was started as one of 4 ranks, rank 0 as one of 2 (WORLD_SIZE)"));
    }

    @Test
    void aWrongTokenIsRefusedAndNamed() throws Exception {
        int port = Ranks.freePort();
        List<Throwable> failures = Ranks.failures(
                2,
                rank -> connect(rank, 2, port, rank == 0 ? "right" : "wrong", Map.of())
                        .close());
        assertThat(failures.get(0))
                .hasMessageContaining("rank 1 did not come within 1 s")
                .hasMessageContaining("was refused: its FOVEA_TOKEN is another");
        assertThat(failures.get(1))
                .hasMessageContaining("rank 1 was refused by what listens at 127.0.0.1:" + port)
                .hasMessageContaining("its FOVEA_TOKEN is another than that of rank 0");
    }

    @Test
    void strangersMakeNoDifference() throws Exception {
        int port = Ranks.freePort();
        CountDownLatch spoken = new CountDownLatch(1);
        List<Throwable> failures = Ranks.failures(3, rank -> {
            if (rank == 2) {
                for (int attempt = 0; attempt < 50; attempt++) {
                    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                        OutputStream out = socket.getOutputStream();
                        out.write("GET / HTTP/1.0\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
                        out.flush();
                        socket.getInputStream().read();
                        break;
                    } catch (java.io.IOException e) {
                        Thread.sleep(20);
                    }
                }
                spoken.countDown();
                return;
            }
            if (rank == 1) {
                spoken.await();
            }
            try (SocketRanks ranks = connectAll(rank, 2, port, Map.of())) {
                float[] values = {rank};
                ranks.sum(values, 1);
                assertThat(values).containsExactly(1);
            }
        });
        assertThat(failures).containsOnlyNulls();
    }

    @Test
    void anUnreachableMasterIsNamed() throws Exception {
        int port = Ranks.freePort();
        assertThatThrownBy(() -> connect(1, 2, port, "t", Map.of()))
                .hasMessageContaining("rank 1 cannot reach rank 0 at 127.0.0.1:" + port + " within 1 s");
    }

    @Test
    void aPortInUseIsNamed() throws Exception {
        try (ServerSocket used = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            int port = used.getLocalPort();
            assertThatThrownBy(() -> connect(0, 2, port, "t", Map.of()))
                    .hasMessageContaining("rank 0 cannot listen on 127.0.0.1:" + port)
                    .hasMessageContaining("MASTER_PORT");
        }
    }

    @Test
    void whoDoesNotComeIsNamed() throws Exception {
        int port = Ranks.freePort();
        List<Throwable> failures =
                Ranks.failures(2, rank -> connect(rank, 4, port, "t", Map.of()).close());
        assertThat(failures.get(0)).hasMessage("rank 2, 3 did not come within 1 s");
        assertThat(failures.get(1)).isInstanceOf(CollectiveException.class);
    }

    @Test
    void withoutATokenOnlyLoopbackServes() {
        RankSettings settings = new RankSettings(0, 2, 0, "192.0.2.1", 29500, "", "sockets");
        assertThatThrownBy(() -> SocketRanks.connect(settings, Map.of(), SHORT))
                .hasMessageContaining("FOVEA_TOKEN must be set");
    }

    @Test
    void threeRanksAreRefused() {
        assertThatThrownBy(() -> connect(0, 3, 29500, "t", Map.of()))
                .hasMessage("WORLD_SIZE must be a power of two over sockets, got 3");
    }

    @Test
    void oneThatFailsIsHeardOfByAll() throws Exception {
        int port = Ranks.freePort();
        long start = System.nanoTime();
        AtomicReference<String> heard = new AtomicReference<>();
        List<Throwable> failures = Ranks.failures(4, rank -> {
            try (SocketRanks ranks = connectAll(rank, 4, port, Map.of())) {
                if (rank == 1) {
                    ranks.whenFailed(heard::set);
                }
                float[] values = new float[100];
                ranks.sum(values, 100);
                if (rank == 3) {
                    ranks.fail("rank 3 failed: its disk is full");
                    return;
                }
                ranks.sum(values, 100);
                ranks.gather(new byte[1]);
            }
        });
        assertThat(failures.subList(0, 3))
                .allSatisfy(failure -> assertThat(failure).hasMessage("rank 3 failed: its disk is full"));
        assertThat(heard.get()).isEqualTo("rank 3 failed: its disk is full");
        assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start)).isLessThan(8);
    }

    @Test
    void anotherOperationIsNoticed() throws Exception {
        int port = Ranks.freePort();
        List<Throwable> failures = Ranks.failures(2, rank -> {
            try (SocketRanks ranks = connectAll(rank, 2, port, Map.of())) {
                ranks.sum(new float[100], rank == 0 ? 100 : 99);
            }
        });
        assertThat(failures).anySatisfy(failure -> assertThat(failure).hasMessageContaining("numbers where"));
        assertThat(failures).doesNotContainNull();
    }

    @Test
    @Tag("integration")
    void whoFallsSilentIsNamed() throws Exception {
        int port = Ranks.freePort();
        List<Throwable> failures = Ranks.failures(2, rank -> {
            // Rank 1 gives signs of life so rarely that rank 0 must think it stopped.
            Patience patience = rank == 0 ? SHORT : new Patience(20_000, 600_000);
            try (SocketRanks ranks = SocketRanks.connect(Ranks.settings(rank, 2, port, "t"), Map.of(), patience)) {
                float[] values = new float[10];
                if (rank == 1) {
                    Thread.sleep(5_000);
                }
                ranks.sum(values, 10);
            }
        });
        assertThat(failures)
                .allSatisfy(failure ->
                        assertThat(failure).hasMessageContaining("rank 1 has given no sign of life for 1 s"));
    }
}
