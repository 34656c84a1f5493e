// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/** A {@link RecurrentTrunk} and the states of its layers in a set of environments, before the current segment. */
final class RecurrentMemory implements Trunk.Context {
    private final RecurrentTrunk trunk;
    private final Backend backend;
    private final int width;

    /** Per layer [environments, width]: before the segment, and where play is. */
    private final DeviceArray[] states;

    private final DeviceArray[] present;

    RecurrentMemory(Backend backend, RecurrentTrunk trunk, int environments) {
        this.trunk = trunk;
        this.backend = backend;
        this.width = trunk.size();
        this.states = new DeviceArray[trunk.layers()];
        this.present = new DeviceArray[trunk.layers()];
        for (int layer = 0; layer < states.length; layer++) {
            states[layer] = backend.memory().allocate(backend.memory().floatType(), (long) environments * width);
            present[layer] = backend.memory().allocate(backend.memory().floatType(), (long) environments * width);
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
        return trunk.forward(steps, gathered);
    }

    @Override
    public Trunk.Player player(int first, int count) {
        return new Player(first, count);
    }

    @Override
    public void advance() {
        // Copied, not swapped: captured steps read the states where they were when they were captured.
        for (int layer = 0; layer < states.length; layer++) {
            backend.memory().copy(present[layer], states[layer]);
        }
    }

    @Override
    public Map<String, DeviceArray> persistent() {
        Map<String, DeviceArray> arrays = new LinkedHashMap<>();
        for (int layer = 0; layer < states.length; layer++) {
            arrays.put("memory.layer" + layer, states[layer]);
        }
        return arrays;
    }

    @Override
    public void close() {
        for (int layer = 0; layer < states.length; layer++) {
            states[layer].release();
            present[layer].release();
        }
    }

    /** Plays environments [first, first + count). */
    private final class Player implements Trunk.Player {
        private final int first;
        private final int count;

        Player(int first, int count) {
            this.first = first;
            this.count = count;
        }

        @Override
        public void beginSegment(int[] episodeSteps) {
            for (int layer = 0; layer < states.length; layer++) {
                backend.memory().copy(mine(states[layer]), mine(present[layer]));
            }
        }

        @Override
        public Tensor act(StepFeatures.Encoded encoded, int step, int[] episodeSteps) {
            List<Tensor> now = now(encoded.numbers().tape());
            Tensor output = trunk.forward(encoded, now);
            for (int layer = 0; layer < present.length; layer++) {
                backend.memory().copy(now.get(layer).array(), mine(present[layer]));
            }
            return output;
        }

        @Override
        public Tensor peek(StepFeatures.Encoded encoded, int step, int[] episodeSteps) {
            return trunk.forward(encoded, now(encoded.numbers().tape()));
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
            return ofAll.slice((long) first * width, (long) count * width);
        }
    }
}
