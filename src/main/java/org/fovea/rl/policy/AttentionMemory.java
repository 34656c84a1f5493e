// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
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
 * has been going is for the {@link ObservationEncoder} to say. Segment ids tell the episodes of one environment apart: 0 for the one
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
    public Trunk.Player player(int first, int count) {
        return new Player(first, count);
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

        /** Rings of steps that were set aside, of how many steps each sees, and where it stands. */
        private final KeyValueCache[] asideRings;

        private final int[] asideVisible;
        private final int[] asidePositions;
        private final int[] visible;
        private final int[] episode;
        private final int[] queryIds;
        private final int[] keyIds;

        Player(int first, int count) {
            this.first = first;
            this.count = count;
            int heads = trunk.config().heads();
            this.rings = new KeyValueCache[inputs.length];
            int places = Trunk.Player.places(count);
            this.asideRings = new KeyValueCache[inputs.length];
            for (int layer = 0; layer < rings.length; layer++) {
                rings[layer] = new KeyValueCache(backend, count, past + 1, heads, width / heads);
                asideRings[layer] = new KeyValueCache(backend, places, past + 1, heads, width / heads);
            }
            caches.addAll(Arrays.asList(rings));
            caches.addAll(Arrays.asList(asideRings));
            this.asideVisible = new int[places];
            this.asidePositions = new int[places];
            Arrays.fill(asideVisible, 1);
            this.visible = new int[count];
            this.episode = new int[count];
            this.queryIds = new int[count * steps];
            this.keyIds = new int[count * (past + steps)];
        }

        @Override
        public void beginSegment(int[] episodeSteps) {
            Arrays.fill(episode, 0);
            markEpisodes(keyIds, past, past + steps, episodeSteps);
            if (past == 0) {
                return;
            }
            try (Tape tape = Tape.inference(backend)) {
                List<Tensor> memory = new ArrayList<>(inputs.length);
                for (DeviceArray layer : inputs) {
                    memory.add(tape.constant(mine(layer), count, past, width));
                }
                if (burnIn.length() > 0) {
                    burnIn(tape, memory, episodeSteps);
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
        private void burnIn(Tape tape, List<Tensor> memory, int[] episodeSteps) {
            for (int layer = 0; layer < inputs.length; layer++) {
                Tensor copy = tape.result(count, past, width);
                backend.memory().copy(memory.get(layer).array(), copy.array());
                memory.set(layer, copy);
            }
            int remembered = past + burnIn.length();
            int[] ids = new int[count * remembered];
            markEpisodes(ids, remembered, remembered, episodeSteps);
            DeviceArray mine = burnInSegments.slice((long) first * remembered, ids.length);
            backend.memory().upload(ids, 0, mine);
            trunk.burnIn(
                    trunk.features().apply(burnIn.of(tape, first, count)),
                    memory,
                    tape.constant(mine, count, remembered));
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
        public Tensor act(StepFeatures.Encoded encoded, int step, int[] episodeSteps, int from, int to) {
            // Of the others, what is computed here once more is what the memory holds; or it is of a step that they
            // have yet to
            // take, for which the same holds as in peek.
            for (int i = from; i < to; i++) {
                if (step > 0 && episodeSteps[i] == 0) {
                    episode[i]++;
                }
                queryIds[i * steps + step] = episode[i];
                keyIds[i * (past + steps) + past + step] = episode[i];
            }
            burnIn.keep(first, encoded.numbers(), step);
            return decode(encoded, step, episodeSteps, true);
        }

        @Override
        public Tensor peek(StepFeatures.Encoded encoded, int step, int[] episodeSteps) {
            // The ring slot written here is the one that leaves the window at this step, and the step itself
            // overwrites it.
            return decode(encoded, step, episodeSteps, false);
        }

        @Override
        public void setAside(int[] environments, int number, int step, int[] episodeSteps, int at) {
            for (int layer = 0; layer < rings.length; layer++) {
                asideRings[layer].take(rings[layer], environments, number, past + step, at);
            }
            for (int i = 0; i < number; i++) {
                asideVisible[at + i] = Math.min(past, episodeSteps[environments[i]]) + 1;
                asidePositions[at + i] = past + step;
            }
        }

        @Override
        public Tensor recall(StepFeatures.Encoded steps) {
            Tape tape = steps.features().tape();
            Tensor positions = tape.constant(uploaded(tape, asidePositions), asidePositions.length, 1);
            DeviceArray counts = uploaded(tape, asideVisible);
            Tensor x = trunk.embed(steps);
            for (int layer = 0; layer < rings.length; layer++) {
                x = trunk.blocks().get(layer).decode(x, asideRings[layer], past, positions, counts);
            }
            return trunk.decoded(x);
        }

        private DeviceArray uploaded(Tape tape, int[] numbers) {
            DeviceArray array = tape.allocate(DType.I32, numbers.length);
            backend.memory().upload(numbers, 0, array);
            return array;
        }

        @Override
        public void endSegment() {
            backend.memory().upload(queryIds, 0, querySegments.slice((long) first * steps, queryIds.length));
            backend.memory().upload(keyIds, 0, keySegments.slice((long) first * (past + steps), keyIds.length));
        }

        private Tensor decode(StepFeatures.Encoded encoded, int step, int[] episodeSteps, boolean remember) {
            for (int i = 0; i < count; i++) {
                visible[i] = Math.min(past, episodeSteps[i]) + 1;
            }
            DeviceArray counts = uploaded(encoded.features().tape(), visible);
            Tensor x = trunk.embed(encoded);
            for (int layer = 0; layer < rings.length; layer++) {
                if (remember) {
                    remember(layer, step, x);
                }
                x = trunk.blocks().get(layer).decode(x, rings[layer], past + step, counts);
            }
            return trunk.decoded(x);
        }

        private void remember(int layer, int step, Tensor x) {
            int row = past + step - burnIn.firstStep();
            if (row >= 0 && row < past) {
                DeviceArray memory = mine(nextInputs[layer]);
                long skipped = (long) row * width;
                backend.math()
                        .arrange(
                                new int[] {count, width},
                                x.array(),
                                new int[] {width, 1},
                                memory.slice(skipped, memory.length() - skipped),
                                new int[] {past * width, 1});
            }
        }

        private DeviceArray mine(DeviceArray ofAll) {
            return ofAll.slice((long) first * past * width, (long) count * past * width);
        }
    }
}
