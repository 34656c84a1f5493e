// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.RelativePositions;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.cpu.attention.series.ScoreReader;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Elements;
import org.jspecify.annotations.Nullable;

/**
 * The gradient of an attention's bias, the sum of the gradients of the scores that each of its numbers was added to. For a bias
 * by pair it is made in its place. For a relative one each part of a head has a sum for each relative position, and those that
 * share a number are added up at the end, in order.
 */
final class BiasGradient {
    private final AttentionShape shape;
    private final ScoreReader target;
    private final boolean relative;
    private final RelativePositions positions;

    /** Of each part of each head of each batch row, if relative; made by the thread that has it. */
    private double[][] sums = {};

    private BiasGradient(AttentionShape shape, AttentionSpec spec, ScoreReader target) {
        this.shape = shape;
        this.target = target;
        relative = target.extents().isRelative();
        positions = RelativePositions.of(shape, spec);
    }

    /** A gradient of 0; null if there is none to be made. */
    static @Nullable BiasGradient open(AttentionShape shape, AttentionSpec spec, @Nullable ScoreReader target) {
        if (target == null) {
            return null;
        }
        CpuArray array = target.array();
        Arrays.fill(array.floats, array.offset, array.offset + array.length, 0);
        return new BiasGradient(shape, spec, target);
    }

    /** Whether threads may add for several batch rows at once. */
    boolean rowsApart() {
        return relative || target.extents().batch() == shape.batch();
    }

    /** Whether threads may add for several heads at once. */
    boolean headsApart() {
        return relative || target.extents().heads() == shape.heads();
    }

    /** Whether threads may add for several parts of a head's queries at once. */
    boolean partsApart() {
        return relative;
    }

    /** Makes room for so many parts of each head. */
    void cut(int parts) {
        if (relative) {
            sums = new double[Math.multiplyExact(parts, Math.multiplyExact(shape.batch(), shape.heads()))][0];
        }
    }

    /** Adds {@code factor} times a group's gradients of scores, which start at {@code gradients}. */
    void add(AttentionScratch t, float factor, int gradients, int lane, int lanes) {
        int queries = Math.min(lanes, t.queries - lane);
        for (int i = 0; i < queries; i++) {
            if (relative) {
                addRelative(t, factor, gradients + i, lane + i);
            } else {
                addByPair(t, factor, gradients + i, lane + i);
            }
        }
    }

    private void addByPair(AttentionScratch t, float factor, int gradient, int row) {
        ScoreBias<CpuArray> extents = target.extents();
        float[] array = target.array().floats;
        int sum = target.index(t.head / shape.heads(), t.head % shape.heads(), t.firstQuery + row, t.groupFrom);
        for (int j = t.groupFrom; j < t.groupTo; j++) {
            array[sum] += factor * t.floats[gradient];
            sum += extents.keyStride();
            gradient += AttentionScratch.QUERIES;
        }
    }

    private void addRelative(AttentionScratch t, float factor, int gradient, int row) {
        int part = t.part * shape.batch() * shape.heads() + t.head;
        if (sums[part].length == 0) {
            sums[part] = new double[positions.count()];
        }
        double[] ofPart = sums[part];
        int from = Math.max(t.groupFrom, t.low[row]);
        int to = Math.min(t.groupTo, t.high[row]);
        int first = t.band.nearPosition() + t.firstQuery + row + positions.first();
        int at = gradient + (from - t.groupFrom) * AttentionScratch.QUERIES;
        for (int j = from; j < to; j++) {
            ofPart[j - first] += factor * t.floats[at];
            at += AttentionScratch.QUERIES;
        }
    }

    /** Writes what was added, if it isn't there yet. */
    void store() {
        if (!relative) {
            return;
        }
        CpuArray array = target.array();
        double[] totals = new double[array.length];
        for (int part = 0; part < sums.length; part++) {
            int batch = part / shape.heads() % shape.batch();
            for (int i = 0; i < sums[part].length; i++) {
                int at = target.indexAt(batch, part % shape.heads(), (long) positions.first() + i);
                totals[at - array.offset] += sums[part][i];
            }
        }
        Elements.write(totals, 0, array, 0, totals.length);
    }
}
