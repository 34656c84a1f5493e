// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.fovea.backend.Backend;
import org.fovea.backend.Partition;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.Rollout;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Cuts some units of a rollout into shards that are worked on end to end, side by side, each with a gradient of its own.
 * Gradients are then added in a fixed tree, so the result does not depend on how many shards ran at once.
 */
public final class Shards implements AutoCloseable {
    private final Backend backend;
    private final Rollout rollout;
    private final int rowsPerUnit;
    private final DeviceArray[] gradients;

    /**
     * Shards with a gradient for each.
     *
     * @param kind of the network, which may go through several units as fast as through one
     * @param largest most units that will be cut at once
     */
    public Shards(
            Backend backend, PolicyKind kind, Parameters parameters, Rollout rollout, int rowsPerUnit, int largest) {
        this.backend = backend;
        this.rollout = rollout;
        this.rowsPerUnit = rowsPerUnit;
        this.gradients = new DeviceArray[backend.shards(Math.max(1, largest / kind.unitsPerShard()))];
        for (int shard = 0; shard < gradients.length; shard++) {
            gradients[shard] = backend.memory().allocate(backend.memory().floatType(), parameters.length());
        }
    }

    /** Number of pieces, some of which are empty where there are fewer units. */
    public int count() {
        return gradients.length;
    }

    /** Steps in {@code units}. */
    public int rows(DeviceArray units) {
        return (int) units.length() * rowsPerUnit;
    }

    /** Does {@code work} on every shard of {@code units} that is not empty. */
    public void forEach(DeviceArray units, Consumer<Shard> work) {
        int total = (int) units.length();
        backend.forEachShard(count(), index -> {
            int from = Partition.start(total, index, count());
            int size = Partition.size(total, index, count());
            if (size > 0) {
                work.accept(new Shard(index, from * rowsPerUnit, units.slice(from, size), gradients[index]));
            }
        });
    }

    /**
     * Sum of what {@code work} leaves in the shards' gradients.
     *
     * @return an array laid out like the parameters, valid until the next call
     */
    public DeviceArray sumGradients(DeviceArray units, Consumer<Shard> work) {
        if (units.length() < count()) {
            for (DeviceArray gradient : gradients) {
                backend.memory().fill(gradient, 0);
            }
        }
        forEach(units, work);
        if (count() > 1) {
            backend.forEachShard(count(), this::addUp);
        }
        return gradients[0];
    }

    /** What {@link #sumGradients} gave last. */
    public DeviceArray lastSum() {
        return gradients[0];
    }

    /** Adds a part of all gradients, as long as others, to that part of the first. */
    private void addUp(int part) {
        int length = Math.toIntExact(gradients[0].length());
        int from = Partition.start(length, part, count());
        int[] shape = {Partition.size(length, part, count())};
        int[] stride = {1};
        for (int distance = 1; distance < count(); distance *= 2) {
            for (int i = 0; i + distance < count(); i += 2 * distance) {
                DeviceArray sum = gradients[i].slice(from, shape[0]);
                DeviceArray added = gradients[i + distance].slice(from, shape[0]);
                backend.math().zip(BinaryOp.ADD, shape, sum, stride, added, stride, sum);
            }
        }
    }

    @Override
    public void close() {
        for (DeviceArray gradient : gradients) {
            gradient.release();
        }
    }

    /**
     * Rows of the rollout.
     *
     * @param observations as the network saw them, [rows, size]
     * @param masks what was added to the policy's outputs, [rows, outputs]; null where nothing is forbidden
     * @param batch what was done, and how it turned out
     */
    public record Played(Tensor observations, @Nullable Tensor masks, PpoBatch<DeviceArray> batch) {}

    /** Some units of the rollout, and where the gradient of their part of a loss goes. */
    public final class Shard {
        private final int index;
        private final int firstRow;
        private final DeviceArray units;
        private final DeviceArray gradient;

        private Shard(int index, int firstRow, DeviceArray units, DeviceArray gradient) {
            this.index = index;
            this.firstRow = firstRow;
            this.units = units;
            this.gradient = gradient;
        }

        /** From 0 to {@link Shards#count}. */
        public int index() {
            return index;
        }

        /** I32, the units' indices in the rollout. */
        public DeviceArray units() {
            return units;
        }

        /** Laid out like the parameters, to be overwritten. */
        public DeviceArray gradient() {
            return gradient;
        }

        /** Steps. */
        public int rows() {
            return Shards.this.rows(units);
        }

        /** The shard's part of an array that has {@code width} elements for each row of all units that were cut. */
        public DeviceArray part(DeviceArray ofAll, int width) {
            return ofAll.slice((long) firstRow * width, (long) rows() * width);
        }

        /** The shard's rows of an array of the rollout. */
        public DeviceArray gather(Tape tape, DeviceArray ofRollout) {
            TableRows table = table(tape, ofRollout);
            backend.math().gatherRows(ofRollout, table.width(), units, table.rows());
            return table.rows();
        }

        /** [rows, size] as the network saw them. */
        public Tensor observations(Tape tape) {
            return tape.constant(gather(tape, rollout.observations()), rows(), rollout.observationSize());
        }

        /** What was added to the policy's outputs, [rows, outputs]; null where nothing is forbidden. */
        public @Nullable Tensor masks(Tape tape) {
            int width = (int) (rollout.masks().length() / rollout.rows());
            return width == 0 ? null : tape.constant(gather(tape, rollout.masks()), rows(), width);
        }

        /**
         * What was seen and done, and how it turned out.
         *
         * @param advantages those of the rows
         * @param clip for the loss
         */
        public Played played(Tape tape, DeviceArray advantages, DeviceArray clip) {
            List<TableRows> tables = new ArrayList<>();
            DeviceArray observations = add(tables, tape, rollout.observations());
            PpoBatch<DeviceArray> batch = new PpoBatch<>(
                    rows(),
                    add(tables, tape, rollout.actions()),
                    add(tables, tape, rollout.logProbs()),
                    add(tables, tape, rollout.values()),
                    advantages,
                    add(tables, tape, rollout.returns()),
                    clip);
            Tensor masks = null;
            int maskSize = (int) (rollout.masks().length() / rollout.rows());
            if (maskSize > 0) {
                masks = tape.constant(add(tables, tape, rollout.masks()), rows(), maskSize);
            }
            backend.math().gatherRows(units, tables);
            return new Played(tape.constant(observations, rows(), rollout.observationSize()), masks, batch);
        }

        private DeviceArray add(List<TableRows> tables, Tape tape, DeviceArray ofRollout) {
            TableRows table = table(tape, ofRollout);
            tables.add(table);
            return table.rows();
        }

        private TableRows table(Tape tape, DeviceArray ofRollout) {
            int width = (int) (ofRollout.length() / rollout.rows()) * rowsPerUnit;
            return new TableRows(ofRollout, width, tape.allocate(ofRollout.dtype(), units.length() * width));
        }
    }
}
