// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.nn.DecodingStep;
import org.fovea.nn.KeyValueCache;
import org.fovea.nn.RotaryEncoding;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * An {@link AttentionTrunk} and its memory of a set of environments: each layer's {@code window - 1} inputs before
 * the current segment; with a {@link BurnIn}, before that.
 *
 * <p>Positions count from the start of the memory, so the segment's step t stands at {@code window - 1 + t}: how long an episode
 * has been going is for the {@link StepEncoder} to say. Segment ids tell the episodes of one environment apart: 0 for the one
 * that was under way when the segment began, one more after each reset, -1 for memory that belongs to none of them.
 */
final class AttentionMemory implements Trunk.Context {
    private static final int NO_EPISODE = -1;

    private final AttentionTrunk trunk;
    private final Backend backend;
    private final int steps;
    private final int past;
    private final int width;
    private final DeviceArray[] inputs;
    private final DeviceArray[] nextInputs;
    private final DeviceArray queryPositions;
    private final DeviceArray keyPositions;
    private final DeviceArray querySegments;
    private final DeviceArray keySegments;
    private final BurnIn burnIn;

    /** Segment ids of memory and burn-in, I32 [environments, window - 1 + burn-in]. */
    private final DeviceArray burnInSegments;

    private final List<KeyValueCache> caches = new ArrayList<>();

    AttentionMemory(Backend backend, AttentionTrunk trunk, int environments, int steps, int burnInSteps) {
        this.trunk = trunk;
        this.backend = backend;
        this.steps = steps;
        this.past = trunk.config().window() - 1;
        this.width = trunk.config().width();
        int layers = trunk.blocks().size();
        this.inputs = new DeviceArray[layers];
        this.nextInputs = new DeviceArray[layers];
        for (int layer = 0; layer < layers; layer++) {
            inputs[layer] = backend.memory().allocate(backend.memory().floatType(), (long) environments * past * width);
            nextInputs[layer] =
                    backend.memory().allocate(backend.memory().floatType(), (long) environments * past * width);
        }
        this.queryPositions = positions(environments, past, steps);
        this.keyPositions = positions(environments, 0, past + steps);
        this.querySegments = backend.memory().allocate(DType.I32, (long) environments * steps);
        this.keySegments = backend.memory().allocate(DType.I32, (long) environments * (past + steps));
        // Nothing is remembered by a window of one step.
        int through = past == 0 ? 0 : burnInSteps;
        this.burnIn = new BurnIn(
                backend, environments, steps, through, trunk.features().inputs());
        this.burnInSegments =
                backend.memory().allocate(DType.I32, through == 0 ? 0 : (long) environments * (past + through));
    }

    /** I32 [environments, count] of {@code first, first + 1, ...} in each row. */
    private DeviceArray positions(int environments, int first, int count) {
        DeviceArray positions = backend.memory().allocate(DType.I32, (long) environments * count);
        try (Tape tape = Tape.inference(backend)) {
            Tensor computed = RotaryEncoding.positions(tape, environments, first, count);
            backend.memory().copy(computed.array(), positions);
        }
        return positions;
    }

    /**
     * The memory and segment ids of some environments.
     *
     * @param inputs per layer [units, window - 1, width]; empty with a window of one step
     * @param queryPositions I32 [units, steps]
     * @param keyPositions I32 [units, window - 1 + steps]
     * @param querySegments I32 [units, steps]
     * @param keySegments I32 [units, window - 1 + steps]
     */
    record Batch(
            List<Tensor> inputs, Tensor queryPositions, Tensor keyPositions, Tensor querySegments, Tensor keySegments) {
        /** What a layer remembers, null with a window of one step. */
        @Nullable
        Tensor input(int layer) {
            return inputs.isEmpty() ? null : inputs.get(layer);
        }
    }

    /** The memory of the environments {@code units}, I32. */
    private Batch gather(Tape tape, DeviceArray units) {
        int count = (int) units.length();
        List<TableRows> tables = new ArrayList<>(inputs.length + 2);
        List<Tensor> gathered = new ArrayList<>(inputs.length);
        for (int layer = 0; layer < inputs.length && past > 0; layer++) {
            gathered.add(add(tables, tape, inputs[layer], count, past, width));
        }
        Tensor queries = add(tables, tape, querySegments, count, steps);
        Tensor keys = add(tables, tape, keySegments, count, past + steps);
        backend.math().gatherRows(units, tables);
        if (burnIn.length() > 0) {
            try (Tape passing = Tape.inference(backend)) {
                int remembered = past + burnIn.length();
                DeviceArray episodes = passing.allocate(DType.I32, (long) count * remembered);
                backend.math().gatherRows(burnInSegments, remembered, units, episodes);
                StepFeatures.Encoded last = trunk.features().apply(burnIn.gather(passing, units));
                trunk.burnIn(last, gathered, passing.constant(episodes, count, remembered));
            }
        }
        return new Batch(
                gathered,
                tape.constant(queryPositions.slice(0, (long) count * steps), count, steps),
                tape.constant(keyPositions.slice(0, (long) count * (past + steps)), count, past + steps),
                queries,
                keys);
    }

    /** The rows of a table that will be gathered, of this shape. */
    private static Tensor add(List<TableRows> tables, Tape tape, DeviceArray table, int... shape) {
        int rowWidth = 1;
        for (int axis = 1; axis < shape.length; axis++) {
            rowWidth *= shape[axis];
        }
        DeviceArray rows = tape.allocate(table.dtype(), (long) shape[0] * rowWidth);
        tables.add(new TableRows(table, rowWidth, rows));
        return tape.constant(rows, shape);
    }

    @Override
    public Tensor forward(StepFeatures.Encoded steps, DeviceArray units) {
        return trunk.forward(steps, gather(steps.features().tape(), units));
    }

    @Override
    public Trunk.Player player(int first, int count, int places) {
        return new Player(first, count, places);
    }

    /** Positions count from the start of the memory. */
    @Override
    public int origin() {
        return past;
    }

    @Override
    public void advance() {
        // Copied, not swapped: captured steps read the memory where it was when they were captured.
        for (int layer = 0; layer < inputs.length; layer++) {
            backend.memory().copy(nextInputs[layer], inputs[layer]);
        }
        burnIn.advance();
    }

    @Override
    public Map<String, DeviceArray> persistent() {
        Map<String, DeviceArray> arrays = new LinkedHashMap<>();
        for (int layer = 0; layer < inputs.length; layer++) {
            arrays.put("memory.layer" + layer, inputs[layer]);
        }
        if (burnIn.length() > 0) {
            arrays.put("memory.burn_in", burnIn.persistent());
        }
        return arrays;
    }

    @Override
    public void close() {
        for (int layer = 0; layer < inputs.length; layer++) {
            inputs[layer].release();
            nextInputs[layer].release();
        }
        queryPositions.release();
        keyPositions.release();
        querySegments.release();
        keySegments.release();
        burnIn.release();
        burnInSegments.release();
        caches.forEach(KeyValueCache::close);
    }

    /** Plays environments [first, first + count) with one ring buffer of keys and values per layer. */
    private final class Player implements Trunk.Player {
        private final int first;
        private final int count;
        private final KeyValueCache[] rings;

        /** Rings of steps that were set aside. */
        private final KeyValueCache[] asideRings;

        /** Segment ids of the memory before a segment, as they are uploaded with room for the segment's own. */
        private final int[] keyIds;

        private final DeviceArray myIds;

        Player(int first, int count, int places) {
            this.first = first;
            this.count = count;
            int heads = trunk.config().heads();
            this.rings = new KeyValueCache[inputs.length];
            this.asideRings = new KeyValueCache[inputs.length];
            for (int layer = 0; layer < rings.length; layer++) {
                rings[layer] = new KeyValueCache(backend, count, past + 1, heads, width / heads);
                asideRings[layer] = new KeyValueCache(backend, places, past + 1, heads, width / heads);
            }
            caches.addAll(Arrays.asList(rings));
            caches.addAll(Arrays.asList(asideRings));
            this.keyIds = new int[count * (past + steps)];
            this.myIds = ids(0, count);
        }

        @Override
        public void mark(int[] episodeSteps) {
            markEpisodes(keyIds, past, past + steps, episodeSteps);
            backend.memory().upload(keyIds, 0, myIds);
            if (burnIn.length() > 0) {
                int remembered = past + burnIn.length();
                int[] ids = new int[count * remembered];
                markEpisodes(ids, remembered, remembered, episodeSteps);
                backend.memory().upload(ids, 0, burnInIds());
            }
        }

        private DeviceArray burnInIds() {
            int remembered = past + burnIn.length();
            return burnInSegments.slice((long) first * remembered, (long) count * remembered);
        }

        @Override
        public void beginSegment() {
            if (past == 0) {
                return;
            }
            try (Tape tape = Tape.inference(backend)) {
                List<Tensor> memory = new ArrayList<>(inputs.length);
                for (DeviceArray layer : inputs) {
                    memory.add(tape.constant(mine(layer), count, past, width));
                }
                if (burnIn.length() > 0) {
                    burnIn(tape, memory);
                }
                for (int layer = 0; layer < rings.length; layer++) {
                    trunk.blocks().get(layer).fillCache(memory.get(layer), rings[layer], 0);
                    keepOfMemory(layer, memory.get(layer).array());
                }
            }
        }

        /** Marks which of the {@code remembered} steps before the segment, first in rows of ids, are of the episode under way. */
        private void markEpisodes(int[] ids, int remembered, int row, int[] episodeSteps) {
            for (int i = 0; i < count; i++) {
                for (int j = 0; j < remembered; j++) {
                    ids[i * row + j] = remembered - j <= episodeSteps[i] ? 0 : NO_EPISODE;
                }
            }
        }

        /** Puts what memory is at the end of the burn-in in its place. What it is before is kept for the training pass. */
        private void burnIn(Tape tape, List<Tensor> memory) {
            for (int layer = 0; layer < inputs.length; layer++) {
                Tensor copy = tape.result(count, past, width);
                backend.memory().copy(memory.get(layer).array(), copy.array());
                memory.set(layer, copy);
            }
            trunk.burnIn(
                    trunk.features().apply(burnIn.of(tape, first, count)),
                    memory,
                    tape.constant(burnInIds(), count, past + burnIn.length()));
        }

        /** Keeps what will still be remembered when the next burn-in begins. */
        private void keepOfMemory(int layer, DeviceArray memory) {
            int forgotten = burnIn.firstStep();
            int kept = past - forgotten;
            if (kept > 0) {
                int[] strides = {past * width, 1};
                long skipped = (long) forgotten * width;
                backend.math()
                        .arrange(
                                new int[] {count, kept * width},
                                memory.slice(skipped, memory.length() - skipped),
                                strides,
                                mine(nextInputs[layer]),
                                strides);
            }
        }

        @Override
        public Tensor act(StepFeatures.Encoded encoded, StepClock clock, int from, int to) {
            DeviceArray positions = clock.positions().slice(from, to - from);
            backend.math()
                    .placeRows(
                            RowPlaces.inEach(positions, 0, past + steps),
                            List.of(new TableRows(
                                    ids(from, to), 1, clock.episodes().slice(from, to - from))));
            int numbers = trunk.features().inputs();
            burnIn.keep(
                    first + from,
                    encoded.numbers().array().slice((long) from * numbers, (long) (to - from) * numbers),
                    positions,
                    past);
            List<Tensor> layerInputs = new ArrayList<>(rings.length);
            Tensor output =
                    decode(encoded, rings, new DecodingStep(clock.positions(), clock.ages(), from, to), layerInputs);
            remember(layerInputs, positions, from, to);
            return output;
        }

        /** Segment ids of environments {@code [from, to)} of this player's, [to - from, window - 1 + steps]. */
        private DeviceArray ids(int from, int to) {
            int row = past + steps;
            return keySegments.slice((long) (first + from) * row, (long) (to - from) * row);
        }

        /** Keeps what will still be remembered when the next burn-in begins. */
        private void remember(List<Tensor> layerInputs, DeviceArray positions, int from, int to) {
            if (past == 0) {
                return;
            }
            List<TableRows> tables = new ArrayList<>(rings.length);
            for (int layer = 0; layer < rings.length; layer++) {
                DeviceArray rows =
                        layerInputs.get(layer).array().slice((long) from * width, (long) (to - from) * width);
                tables.add(new TableRows(memory(nextInputs[layer], from, to), width, rows));
            }
            backend.math().placeRows(RowPlaces.inEach(positions, -burnIn.firstStep(), past), tables);
        }

        @Override
        public Tensor peek(StepFeatures.Encoded encoded, StepClock clock) {
            // The ring slot written here is the one that leaves the window at this step, and the step itself
            // overwrites it.
            return decode(encoded, rings, new DecodingStep(clock.positions(), clock.ages()), new ArrayList<>());
        }

        @Override
        public List<TableRows> setAside(int from, int to) {
            List<TableRows> tables = new ArrayList<>(2 * rings.length);
            for (int layer = 0; layer < rings.length; layer++) {
                tables.addAll(rings[layer].rings(from, to, asideRings[layer]));
            }
            return tables;
        }

        @Override
        public Tensor recall(StepFeatures.Encoded encoded, StepClock places) {
            return decode(encoded, asideRings, new DecodingStep(places.positions(), places.ages()), new ArrayList<>());
        }

        /** @param layerInputs that of each layer is added */
        private Tensor decode(
                StepFeatures.Encoded encoded, KeyValueCache[] caches, DecodingStep step, List<Tensor> layerInputs) {
            Tensor x = trunk.embed(encoded);
            for (int layer = 0; layer < caches.length; layer++) {
                layerInputs.add(x);
                x = trunk.blocks().get(layer).decode(x, caches[layer], step);
            }
            return trunk.decoded(x);
        }

        @Override
        public void endSegment() {
            // Those of the segment itself.
            DeviceArray ids = ids(0, count);
            backend.math()
                    .arrange(
                            new int[] {count, steps},
                            ids.slice(past, ids.length() - past),
                            new int[] {past + steps, 1},
                            querySegments.slice((long) first * steps, (long) count * steps),
                            new int[] {steps, 1});
        }

        private DeviceArray mine(DeviceArray ofAll) {
            return memory(ofAll, 0, count);
        }

        private DeviceArray memory(DeviceArray ofAll, int from, int to) {
            long unit = (long) past * width;
            return ofAll.slice((first + from) * unit, (to - from) * unit);
        }
    }
}
