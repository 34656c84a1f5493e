// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Decoding step by step equals training over segments: two layers, several segments, episodes that end within them,
 * steps that are no multiple of the window.
 */
class CacheParityTest {
    private static final int BATCH = 3;
    private static final int WIDTH = 12;
    private static final int HEADS = 3;
    private static final int SEGMENTS = 3;

    /** Inputs of one segment and where its episodes lie. */
    private record Segment(double[] inputs, int[] episodes) {}

    @ParameterizedTest(name = "window {0}, steps {1}, refill {2}, gated {3}, {4}")
    @CsvSource({
        "4,7,true,false,DOT",
        "4,7,false,false,COSINE",
        "5,3,true,true,EUCLIDEAN",
        "5,3,false,true,DOT",
        "1,4,true,false,DOT",
        "3,6,false,false,DOT"
    })
    void onTheReference(int window, int steps, boolean refill, boolean gated, Similarity similarity) {
        try (Backend backend = new ReferenceBackend()) {
            check(backend, window, steps, refill, gated, similarity, 1e-9);
        }
    }

    @ParameterizedTest(name = "window {0}, steps {1}, refill {2}, gated {3}, {4}")
    @CsvSource({
        "4,7,true,false,DOT",
        "5,3,false,true,DOT",
        "1,4,true,false,DOT",
        "4,7,true,false,COSINE",
        "4,7,true,false,EUCLIDEAN"
    })
    void onTheCpu(int window, int steps, boolean refill, boolean gated, Similarity similarity) {
        try (Backend backend = Backends.open("cpu", 1).backend()) {
            check(backend, window, steps, refill, gated, similarity, 1e-4);
        }
    }

    private static void check(
            Backend backend,
            int window,
            int steps,
            boolean refill,
            boolean gated,
            Similarity similarity,
            double tolerance) {
        TransformerSettings settings =
                TransformerSettings.of(WIDTH, HEADS).withGates(gated).withSimilarity(similarity);
        Parameters parameters = new Parameters(backend, 17);
        List<TransformerBlock> blocks = List.of(
                new TransformerBlock(parameters, "block0", settings),
                new TransformerBlock(parameters, "block1", settings));
        parameters.allocate();
        List<KeyValueCache> caches = new ArrayList<>();
        for (int layer = 0; layer < blocks.size(); layer++) {
            caches.add(new KeyValueCache(backend, BATCH, window, HEADS, settings.headDim()));
        }
        int remembered = window - 1;
        List<double[]> memories = new ArrayList<>(
                List.of(new double[BATCH * remembered * WIDTH], new double[BATCH * remembered * WIDTH]));
        int[] memoryEpisodes = new int[BATCH * remembered];
        Arrays.fill(memoryEpisodes, -1);
        Random random = new Random(5);
        for (int s = 0; s < SEGMENTS; s++) {
            Segment segment = segment(random, steps, s);
            int[] allEpisodes = joined(memoryEpisodes, segment.episodes, remembered, steps);
            // Refilled at any position, so that the memory also wraps round the end of the ring.
            int first = refill ? s + 3 : s * steps;
            if (refill) {
                fill(backend, blocks, caches, memories, remembered, first);
            }
            double[] decoded = decode(backend, blocks, caches, segment, allEpisodes, first + remembered, window, steps);
            double[] trained = train(backend, blocks, memories, segment, allEpisodes, remembered, steps, window);
            assertThat(decoded).as("segment %d", s).containsExactly(trained, within(tolerance));
            memoryEpisodes = latest(allEpisodes, remembered, steps);
        }
        caches.forEach(KeyValueCache::close);
    }

    private static Segment segment(Random random, int steps, int number) {
        double[] inputs = new double[BATCH * steps * WIDTH];
        for (int i = 0; i < inputs.length; i++) {
            inputs[i] = random.nextGaussian();
        }
        int[] episodes = new int[BATCH * steps];
        for (int row = 0; row < BATCH; row++) {
            // Row 0 is one long episode; the others start new ones inside the segment and at its very start.
            int episode = row == 0 ? 0 : 10 * number + (row == 1 ? 1 : 0);
            for (int t = 0; t < steps; t++) {
                episode += row > 0 && t == row ? 3 : 0;
                episodes[row * steps + t] = episode;
            }
        }
        return new Segment(inputs, episodes);
    }

    private static int[] joined(int[] memory, int[] segment, int remembered, int steps) {
        int[] all = new int[BATCH * (remembered + steps)];
        for (int row = 0; row < BATCH; row++) {
            int start = row * (remembered + steps);
            System.arraycopy(memory, row * remembered, all, start, remembered);
            System.arraycopy(segment, row * steps, all, start + remembered, steps);
        }
        return all;
    }

    private static int[] latest(int[] all, int remembered, int steps) {
        int[] memory = new int[BATCH * remembered];
        for (int row = 0; row < BATCH; row++) {
            System.arraycopy(all, row * (remembered + steps) + steps, memory, row * remembered, remembered);
        }
        return memory;
    }

    private static void fill(
            Backend backend,
            List<TransformerBlock> blocks,
            List<KeyValueCache> caches,
            List<double[]> memories,
            int remembered,
            int first) {
        if (remembered == 0) {
            return;
        }
        try (Tape tape = Tape.inference(backend)) {
            for (int layer = 0; layer < blocks.size(); layer++) {
                Tensor memory = tape.constant(memories.get(layer), BATCH, remembered, WIDTH);
                blocks.get(layer).fillCache(memory, caches.get(layer), first);
            }
        }
    }

    /** [batch, steps, width], by single steps. */
    private static double[] decode(
            Backend backend,
            List<TransformerBlock> blocks,
            List<KeyValueCache> caches,
            Segment segment,
            int[] allEpisodes,
            int firstPosition,
            int window,
            int steps) {
        double[] outputs = new double[segment.inputs.length];
        for (int t = 0; t < steps; t++) {
            try (Tape tape = Tape.inference(backend)) {
                double[] inputs = new double[BATCH * WIDTH];
                int[] counts = new int[BATCH];
                for (int row = 0; row < BATCH; row++) {
                    System.arraycopy(segment.inputs, (row * steps + t) * WIDTH, inputs, row * WIDTH, WIDTH);
                    int rowLength = allEpisodes.length / BATCH;
                    int now = row * rowLength + rowLength - steps + t;
                    while (counts[row] < window
                            && now - counts[row] >= row * rowLength
                            && allEpisodes[now - counts[row]] == allEpisodes[now]) {
                        counts[row]++;
                    }
                }
                DeviceArray deviceCounts = tape.allocate(DType.I32, BATCH);
                backend.memory().upload(counts, 0, deviceCounts);
                DeviceArray positions = tape.allocate(DType.I32, BATCH);
                backend.memory().fill(positions, firstPosition + t);
                Tensor x = tape.constant(inputs, BATCH, WIDTH);
                for (int layer = 0; layer < blocks.size(); layer++) {
                    x = blocks.get(layer).decode(x, caches.get(layer), new DecodingStep(positions, deviceCounts));
                }
                double[] y = x.toDoubles();
                for (int row = 0; row < BATCH; row++) {
                    System.arraycopy(y, row * WIDTH, outputs, (row * steps + t) * WIDTH, WIDTH);
                }
            }
        }
        return outputs;
    }

    /** [batch, steps, width] in one pass, after which the memories hold each layer's latest inputs. */
    private static double[] train(
            Backend backend,
            List<TransformerBlock> blocks,
            List<double[]> memories,
            Segment segment,
            int[] allEpisodes,
            int remembered,
            int steps,
            int window) {
        try (Tape tape = Tape.recording(backend)) {
            Tensor querySegments = tape.constantInts(segment.episodes, BATCH, steps);
            Tensor keySegments = tape.constantInts(allEpisodes, BATCH, remembered + steps);
            Tensor positions = RotaryEncoding.positions(tape, BATCH, remembered, steps);
            Tensor keyPositions = RotaryEncoding.positions(tape, BATCH, 0, remembered + steps);
            Tensor x = tape.constant(segment.inputs, BATCH, steps, WIDTH);
            for (int layer = 0; layer < blocks.size(); layer++) {
                Tensor memory = remembered == 0 ? null : tape.constant(memories.get(layer), BATCH, remembered, WIDTH);
                Tensor context = memory == null ? x : Tensor.concat(1, List.of(memory, x));
                memories.set(layer, context.slice(1, steps, remembered + steps).toDoubles());
                x = blocks.get(layer).forward(x, memory, positions, keyPositions, querySegments, keySegments, window);
            }
            return x.toDoubles();
        }
    }
}
