// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.backend.memory.Scope;

/**
 * Float32 arrays that stand in for a call's arrays of 16 bits: widened where the call reads, rounded once where it writes.
 * Arrays of float32 stand for themselves. What was made ends when this is closed.
 */
public final class FloatArrays implements AutoCloseable {
    /** Elements that a thread converts in the time that waking it takes, several times over. */
    private static final int PIECE = 1 << 14;

    private final Scope scope;
    private final Workers workers;
    private final List<Rounding> roundings = new ArrayList<>();

    private record Rounding(CpuArray source, CpuArray target) {}

    /** @param scope closed with this */
    public FloatArrays(Scope scope, Workers workers) {
        this.scope = scope;
        this.workers = workers;
    }

    /** An array of {@code length} elements with unspecified contents. */
    CpuArray allocate(long length) {
        return (CpuArray) scope.allocate(DType.F32, length);
    }

    /** The numbers of an array that is read. */
    CpuArray read(CpuArray array) {
        if (!array.dtype().isHalf()) {
            return array;
        }
        CpuArray wide = allocate(array.length);
        inPieces(
                array.length,
                (from, count) -> HalfPrecision.widen(
                        array.dtype(), array.shorts, array.offset + from, wide.floats, wide.offset + from, count));
        return wide;
    }

    /** Where to write what is meant for {@code target}, which gets it with {@link #store}. */
    CpuArray write(CpuArray target) {
        if (!target.dtype().isHalf()) {
            return target;
        }
        return write(target, allocate(target.length));
    }

    /** Likewise to a place that is there. */
    CpuArray write(CpuArray target, CpuArray wide) {
        roundings.add(new Rounding(wide, target));
        return wide;
    }

    /** Rounds what was written. */
    void store() {
        for (Rounding r : roundings) {
            CpuArray to = r.target;
            inPieces(
                    to.length,
                    (from, count) -> HalfPrecision.round(
                            to.dtype(), r.source.floats, r.source.offset + from, to.shorts, to.offset + from, count));
        }
    }

    private interface Range {
        void convert(int from, int count);
    }

    private void inPieces(int length, Range range) {
        int pieces = (length + PIECE - 1) / PIECE;
        workers.run(pieces, piece -> {
            int from = piece * PIECE;
            range.convert(from, Math.min(PIECE, length - from));
        });
    }

    @Override
    public void close() {
        scope.close();
    }
}
