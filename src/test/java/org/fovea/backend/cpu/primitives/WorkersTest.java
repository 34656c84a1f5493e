// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void everyPieceRunsOnce(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int count : new int[] {0, 1, 2, 3, 13, 207}) {
                AtomicIntegerArray runs = new AtomicIntegerArray(Math.max(1, count));
                for (int repetition = 1; repetition <= 50; repetition++) {
                    workers.run(count, runs::incrementAndGet);
                    for (int piece = 0; piece < count; piece++) {
                        assertThat(runs.get(piece)).isEqualTo(repetition);
                    }
                }
            }
        }
    }

    @Test
    void piecesRunAtTheSameTime() {
        try (Workers workers = new Workers(3)) {
            CountDownLatch together = new CountDownLatch(3);
            workers.run(3, piece -> {
                together.countDown();
                try {
                    assertThat(together.await(10, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
        }
    }

    @Test
    void helpersThatSleptAreWoken() throws InterruptedException {
        try (Workers workers = new Workers(2)) {
            Thread.sleep(50);
            CountDownLatch together = new CountDownLatch(2);
            workers.run(2, piece -> {
                together.countDown();
                try {
                    assertThat(together.await(10, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
        }
    }

    @Test
    void nestedRunsStayOnTheirThread() {
        try (Workers workers = new Workers(4)) {
            workers.run(4, outer -> {
                Set<Thread> threads = ConcurrentHashMap.newKeySet();
                workers.run(8, inner -> threads.add(Thread.currentThread()));
                assertThat(threads).containsExactly(Thread.currentThread());
            });
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void theExceptionIsThrownAfterAllHaveEnded(int threads) {
        try (Workers workers = new Workers(threads)) {
            AtomicIntegerArray runs = new AtomicIntegerArray(7);
            assertThatThrownBy(() -> workers.run(7, piece -> {
                        runs.incrementAndGet(piece);
                        if (piece == 3) {
                            throw new IllegalArgumentException("piece 3");
                        }
                    }))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("piece 3");
            for (int piece = 0; piece < 7; piece++) {
                assertThat(runs.get(piece)).isEqualTo(1);
            }
            workers.run(7, runs::incrementAndGet);
            assertThat(runs.get(6)).isEqualTo(2);
        }
    }
}
