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
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * A {@link RecurrentTrunk} and the states of its layers in a set of environments, before the current segment; with a {@link BurnIn},
 * before that.
 */
final class RecurrentMemory implements Trunk.Context {
    private final RecurrentTrunk trunk;
    private final Backend backend;
    private final int width;

    /** Per layer [environments, width]: before the segment or its burn-in, the same of the next, and where play is. */
    private final DeviceArray[] states;

    private final DeviceArray[] nextStates;
    private final DeviceArray[] present;
    private final BurnIn burnIn;
    private final List<DeviceArray> setAside = new ArrayList<>();

    RecurrentMemory(Backend backend, RecurrentTrunk trunk, int environments, int segmentSteps, int burnInSteps) {
        this.trunk = trunk;
        this.backend = backend;
        this.width = trunk.size();
        this.burnIn = new BurnIn(
                backend,
                environments,
                segmentSteps,
                burnInSteps,
                trunk.features().inputs());
        this.states = new DeviceArray[trunk.layers()];
        this.nextStates = new DeviceArray[trunk.layers()];
        this.present = new DeviceArray[trunk.layers()];
        for (int layer = 0; layer < states.length; layer++) {
            states[layer] = backend.memory().allocate(backend.memory().floatType(), (long) environments * width);
            present[layer] = backend.memory().allocate(backend.memory().floatType(), (long) environments * width);
            nextStates[layer] = burnInSteps == 0
                    ? present[layer]
                    : backend.memory().allocate(backend.memory().floatType(), (long) environments * width);
        }
    }

    @Override
    public Tensor forward(StepFeatures.Encoded steps, DeviceArray units) {
        Tape tape = steps.numbers().tape();
        int count = (int) units.length();
        List<Tensor> gathered = new ArrayList<>(states.length);
        for (DeviceArray layer : states) {
            DeviceArray rows = tape.allocate(layer.dtype(), (long) count * width);
            backend.math().gatherRows(layer, width, units, rows);
            gathered.add(tape.constant(rows, count, width));
        }
        if (burnIn.length() > 0) {
            try (Tape passing = Tape.inference(backend)) {
                burnIn(burnIn.gather(passing, units), gathered);
            }
        }
        return trunk.forward(steps, gathered);
    }

    /** Brings states [sequences, width] of before the burn-in, which are overwritten, to where it ends. */
    private void burnIn(Tensor steps, List<Tensor> before) {
        List<Tensor> now = new ArrayList<>(before.size());
        for (Tensor layer : before) {
            now.add(steps.tape().constant(layer.array(), layer.shape()));
        }
        trunk.forward(trunk.features().apply(steps), now);
        for (int layer = 0; layer < now.size(); layer++) {
            backend.memory().copy(now.get(layer).array(), before.get(layer).array());
        }
    }

    @Override
    public Trunk.Player player(int first, int count, int places) {
        return new Player(first, count, places);
    }

    @Override
    public int origin() {
        return 0;
    }

    @Override
    public void advance() {
        // Copied, not swapped: captured steps read the states where they were when they were captured.
        for (int layer = 0; layer < states.length; layer++) {
            backend.memory().copy(nextStates[layer], states[layer]);
        }
        burnIn.advance();
    }

    @Override
    public Map<String, DeviceArray> persistent() {
        Map<String, DeviceArray> arrays = new LinkedHashMap<>();
        for (int layer = 0; layer < states.length; layer++) {
            arrays.put("memory.layer" + layer, states[layer]);
        }
        if (burnIn.length() > 0) {
            arrays.put("memory.burn_in", burnIn.persistent());
        }
        return arrays;
    }

    @Override
    public void close() {
        for (int layer = 0; layer < states.length; layer++) {
            states[layer].release();
            present[layer].release();
            if (burnIn.length() > 0) {
                nextStates[layer].release();
            }
        }
        burnIn.release();
        setAside.forEach(DeviceArray::release);
    }

    /** Plays environments [first, first + count). */
    private final class Player implements Trunk.Player {
        private final int first;
        private final int count;
        private final int places;

        /** Per layer [places, width], states that were set aside. */
        private final DeviceArray[] aside;

        Player(int first, int count, int places) {
            this.first = first;
            this.count = count;
            this.places = places;
            this.aside = new DeviceArray[present.length];
            for (int layer = 0; layer < aside.length; layer++) {
                aside[layer] = backend.memory().allocate(backend.memory().floatType(), (long) places * width);
            }
            setAside.addAll(Arrays.asList(aside));
        }

        @Override
        public void mark(int[] episodeSteps) {}

        @Override
        public void beginSegment() {
            for (int layer = 0; layer < states.length; layer++) {
                backend.memory().copy(mine(states[layer]), mine(present[layer]));
            }
            if (burnIn.length() > 0) {
                try (Tape tape = Tape.inference(backend)) {
                    burnIn(burnIn.of(tape, first, count), now(tape));
                }
            }
        }

        @Override
        public Tensor act(StepFeatures.Encoded encoded, StepClock clock, int from, int to) {
            if (burnIn.length() > 0) {
                keep(encoded.numbers().array(), clock.positions().slice(from, to - from), from, to);
            }
            List<Tensor> now = now(encoded.numbers().tape());
            Tensor output = trunk.forward(encoded, now);
            for (int layer = 0; layer < present.length; layer++) {
                DeviceArray states = now.get(layer).array();
                backend.memory()
                        .copy(
                                states.slice((long) from * width, (long) (to - from) * width),
                                rows(present[layer], from, to));
            }
            return output;
        }

        /** Keeps the states before the first step of the next segment's burn-in, and the steps from there on. */
        private void keep(DeviceArray numbers, DeviceArray positions, int from, int to) {
            int inputs = trunk.features().inputs();
            List<TableRows> before = new ArrayList<>(present.length);
            for (int layer = 0; layer < present.length; layer++) {
                before.add(new TableRows(rows(nextStates[layer], from, to), width, rows(present[layer], from, to)));
            }
            backend.math().placeRows(RowPlaces.inEach(positions, -burnIn.firstStep(), 1), before);
            burnIn.keep(first + from, numbers.slice((long) from * inputs, (long) (to - from) * inputs), positions, 0);
        }

        @Override
        public Tensor peek(StepFeatures.Encoded encoded, StepClock clock) {
            return trunk.forward(encoded, now(encoded.numbers().tape()));
        }

        @Override
        public List<TableRows> setAside(int from, int to) {
            List<TableRows> tables = new ArrayList<>(present.length);
            for (int layer = 0; layer < present.length; layer++) {
                tables.add(new TableRows(aside[layer], width, rows(present[layer], from, to)));
            }
            return tables;
        }

        @Override
        public Tensor recall(StepFeatures.Encoded steps, StepClock clock) {
            List<Tensor> tensors = new ArrayList<>(aside.length);
            for (DeviceArray layer : aside) {
                tensors.add(steps.numbers().tape().constant(layer, places, width));
            }
            return trunk.forward(steps, tensors);
        }

        @Override
        public void endSegment() {}

        private List<Tensor> now(Tape tape) {
            List<Tensor> tensors = new ArrayList<>(present.length);
            for (DeviceArray layer : present) {
                tensors.add(tape.constant(mine(layer), count, width));
            }
            return tensors;
        }

        private DeviceArray mine(DeviceArray ofAll) {
            return rows(ofAll, 0, count);
        }

        private DeviceArray rows(DeviceArray ofAll, int from, int to) {
            return ofAll.slice((long) (first + from) * width, (long) (to - from) * width);
        }
    }
}
