// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the members of a run tell each other, in one process and in several, which are threads here. */
@Timeout(60)
final class MemberGroupTest {
    private static final int MEMBERS = 8;

    private interface Work {
        void run(Collective collective, Backend backend);
    }

    /** Lets each member work on a thread of its own; rethrows the first failure. */
    private static void forAll(int processes, int members, Work work) throws Exception {
        Ranks.run(processes, ranks -> {
            int count = members / processes;
            try (MemberGroup group = new MemberGroup(ranks, count)) {
                List<Throwable> failures = new ArrayList<>();
                List<Thread> threads = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    int index = i;
                    threads.add(new Thread(() -> {
                        try (Backend backend = Backends.open("cpu", 1).backend()) {
                            work.run(group.member(index, backend), backend);
                        } catch (Throwable e) {
                            synchronized (failures) {
                                failures.add(e);
                            }
                            group.fail(String.valueOf(e.getMessage()));
                        }
                    }));
                }
                threads.forEach(Thread::start);
                for (Thread thread : threads) {
                    thread.join();
                }
                if (!failures.isEmpty()) {
                    throw new AssertionError(failures.get(0).getMessage(), failures.get(0));
                }
            }
        });
    }

    private static float[] given(int member, int length) {
        Random random = new Random(1000L * length + member);
        float[] numbers = new float[length];
        for (int i = 0; i < length; i++) {
            numbers[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(6)));
        }
        return numbers;
    }

    /** By pairs, pairs of pairs, and so on. */
    private static float treeSum(int from, int to, int element, int length) {
        if (to - from == 1) {
            return given(from, length)[element];
        }
        int middle = (from + to) / 2;
        return treeSum(from, middle, element, length) + treeSum(middle, to, element, length);
    }

    @ParameterizedTest
    @CsvSource({"1,8", "2,8", "4,8", "8,8", "1,1", "2,2", "4,4", "1,4", "2,4"})
    void sumsAreTheSameTreeWhereverMembersAre(int processes, int members) throws Exception {
        for (int length : new int[] {0, 1, 3, 257, 100_003}) {
            int[] checked = length < 1000 ? range(length) : new int[] {0, 1, 32_767, 32_768, 50_001, length - 1};
            float[] expected = new float[checked.length];
            for (int i = 0; i < checked.length; i++) {
                expected[i] = treeSum(0, members, checked[i], length);
            }
            forAll(processes, members, (collective, backend) -> {
                DeviceArray array = backend.memory().allocate(DType.F32, length);
                // Twice, since what is used for the first sum is used again.
                for (int turn = 0; turn < 3; turn++) {
                    backend.memory().upload(given(collective.rank(), length), 0, array);
                    collective.allReduceSum(array);
                    float[] sums = new float[length];
                    backend.memory().download(array, sums, 0);
                    for (int i = 0; i < checked.length; i++) {
                        assertThat(sums[checked[i]])
                                .as("element %d", checked[i])
                                .isEqualTo(expected[i]);
                    }
                }
            });
        }
    }

    private static int[] range(int length) {
        int[] all = new int[length];
        for (int i = 0; i < length; i++) {
            all[i] = i;
        }
        return all;
    }

    @ParameterizedTest
    @CsvSource({"1,8", "2,8", "4,8", "8,8", "2,2"})
    void gatheredInTheOrderOfMembers(int processes, int members) throws Exception {
        forAll(processes, members, (collective, backend) -> {
            assertThat(collective.size()).isEqualTo(members);
            for (int turn = 0; turn < 3; turn++) {
                double[] own = new double[collective.rank()];
                java.util.Arrays.fill(own, collective.rank() + 10 * turn);
                double[][] all = collective.gather(own);
                assertThat(all).hasNumberOfRows(members);
                for (int i = 0; i < members; i++) {
                    assertThat(all[i])
                            .hasSize(i)
                            .containsOnly(all[i].length == 0 ? new double[0] : new double[] {i + 10 * turn});
                }
            }
            collective.barrier();
        });
    }

    @Test
    void broadcastGivesWhatTheRootHas() throws Exception {
        forAll(2, 4, (collective, backend) -> {
            DeviceArray array = backend.memory().allocate(DType.F32, 5);
            backend.memory().fill(array, collective.rank());
            collective.broadcast(array, 3);
            float[] numbers = new float[5];
            backend.memory().download(array, numbers, 0);
            assertThat(numbers).containsOnly(3);
        });
    }

    @ParameterizedTest
    @CsvSource({"1", "2", "4"})
    void oneThatFailsEndsAll(int processes) {
        long start = System.nanoTime();
        assertThatThrownBy(() -> forAll(processes, MEMBERS, (collective, backend) -> {
                    DeviceArray array = backend.memory().allocate(DType.F32, 10);
                    collective.allReduceSum(array);
                    if (collective.rank() == 5) {
                        throw new IllegalStateException("no more of this");
                    }
                    collective.allReduceSum(array);
                    collective.gather(1);
                }))
                .hasMessageContaining("no more of this");
        assertThat((System.nanoTime() - start) * 1e-9).isLessThan(10);
    }
}
