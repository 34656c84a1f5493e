// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective.nccl;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.collective.Collective;
import org.fovea.collective.CollectiveException;
import org.fovea.collective.RankSettings;

/** A process that is one rank on the simulated device: DIRECTORY RANK SIZE WHAT_TO_DO. What comes out it prints, or writes there. */
final class NcclRank {
    /** Neither a multiple of the stand-in's chunks nor in one of them. */
    static final int LENGTH = 150_001;

    static final int REPLAYS = 3;

    private static final int DIED = 9;

    private final Backend backend;
    private final Collective collective;
    private final Path directory;
    private final int rank;

    private NcclRank(Backend backend, Collective collective, Path directory) {
        this.backend = backend;
        this.collective = collective;
        this.directory = directory;
        this.rank = collective.rank();
    }

    public static void main(String... args) throws Exception {
        Path directory = Path.of(args[0]);
        int rank = Integer.parseInt(args[1]);
        int size = Integer.parseInt(args[2]);
        RankSettings settings = new RankSettings(rank, size, 0, "127.0.0.1", 1, "", "nccl");
        try (Backend backend = Simulator.open();
                Collective host = new FileCollective(directory, rank, size)) {
            Collective opened;
            if (args[3].equals("elsewhere")) {
                System.setProperty(
                        "fovea.cuda.driver", directory.resolve("libcuda.so.1").toString());
            }
            try {
                opened = new NcclProvider().open(backend, settings, host);
            } catch (BackendUnavailableException e) {
                System.out.println(e.getMessage());
                return;
            }
            try (opened) {
                NcclRank process = new NcclRank(backend, opened, directory);
                switch (args[3]) {
                    case "sums" -> process.sums();
                    case "dies" -> process.dies();
                    case "fails" -> process.fails();
                    default -> throw new IllegalArgumentException(args[3]);
                }
            }
        }
    }

    static float[] values(int rank) {
        SplittableRandom random = new SplittableRandom(rank);
        float[] values = new float[LENGTH];
        for (int i = 0; i < LENGTH; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return values;
    }

    private void sums() throws Exception {
        DeviceArray array = backend.memory().allocate(DType.F32, LENGTH);
        backend.memory().upload(values(rank), 0, array);
        collective.allReduceSum(array);
        write("sum", download(array));
        backend.memory().fill(array, rank);
        collective.broadcast(array.slice(1, LENGTH - 1), 1);
        float[] sent = download(array);
        System.out.println("broadcast " + sent[0] + " " + sent[1] + " " + sent[LENGTH - 1]);
        // Work before and after in the same step: doubles, adds up over ranks, is nothing until it is replayed.
        backend.memory().fill(array, 1);
        try (CapturedStep step = backend.capture(() -> {
            collective.allReduceSum(array);
            backend.memory().copy(array.slice(0, 1), array.slice(1, 1));
        })) {
            System.out.println("captured " + download(array)[0]);
            for (int i = 0; i < REPLAYS; i++) {
                step.replay();
            }
            System.out.println("replayed " + Arrays.toString(Arrays.copyOf(download(array), 2)));
        }
        array.release();
    }

    private void dies() {
        DeviceArray array = backend.memory().allocate(DType.F32, LENGTH);
        if (rank == 1) {
            Runtime.getRuntime().halt(DIED);
        }
        awaitFailure(array);
    }

    private void fails() {
        DeviceArray array = backend.memory().allocate(DType.F32, LENGTH);
        if (rank == 1) {
            collective.fail("rank 1 has no memory left");
        }
        awaitFailure(array);
    }

    /** The stream waits for a rank that will not come, until the collective is given up. */
    private void awaitFailure(DeviceArray array) {
        long start = System.nanoTime();
        try {
            while (true) {
                collective.allReduceSum(array);
                backend.synchronize();
            }
        } catch (CollectiveException e) {
            System.out.println(e.getMessage() + " | " + (System.nanoTime() - start) / 1_000_000_000);
        }
    }

    private float[] download(DeviceArray array) {
        float[] values = new float[LENGTH];
        backend.memory().download(array, values, 0);
        return values;
    }

    private void write(String name, float[] values) throws Exception {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
        bytes.asFloatBuffer().put(values);
        Files.write(directory.resolve(name + "-" + rank), bytes.array());
    }
}
