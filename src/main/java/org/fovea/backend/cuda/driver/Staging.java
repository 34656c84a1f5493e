// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;

import java.nio.ByteBuffer;

/**
 * The way between Java arrays and the device: a pinned buffer, filled or emptied piece by piece. Uploads take successive
 * parts of it, so the host waits only when the buffer has been filled once round.
 */
final class Staging {
    private static final int CAPACITY = 8 << 20;
    private static final int PIECE = CAPACITY / 4;

    private final CudaContext context;
    private final PinnedBuffer pinned;
    private int used;

    /** Moves elements between a Java array and a piece of the staging buffer. */
    interface Mover {
        /**
         * Moves one piece.
         *
         * @param first index of the piece's first element in the whole copy
         */
        void move(ByteBuffer piece, int first, int count);
    }

    Staging(CudaContext context) {
        this.context = context;
        pinned = new PinnedBuffer(context, CAPACITY);
    }

    /** Copies all of {@code target} from what {@code mover} writes. */
    void upload(CudaArray target, Mover mover) {
        int elementBytes = target.dtype().bytes();
        int pieceLength = PIECE / elementBytes;
        for (long first = 0; first < target.length(); first += pieceLength) {
            int count = (int) Math.min(pieceLength, target.length() - first);
            int bytes = count * elementBytes;
            if (used + bytes > CAPACITY) {
                context.synchronize("upload");
                used = 0;
            }
            mover.move(piece(used, bytes), (int) first, count);
            DevicePointer to = new DevicePointer(target.address() + first * elementBytes);
            context.issuing();
            context.check(
                    cuMemcpyHtoDAsync(to, pinned.at(used), bytes, context.stream()),
                    "cuMemcpyHtoDAsync",
                    "upload",
                    "to",
                    target);
            used += (bytes + 63) / 64 * 64;
        }
    }

    /** Copies all of {@code source} to where {@code mover} reads it. */
    void download(CudaArray source, Mover mover) {
        int elementBytes = source.dtype().bytes();
        int pieceLength = CAPACITY / elementBytes;
        // Uploads that still wait to be read from the buffer come first in the stream, so nothing is overwritten too
        // early.
        for (long first = 0; first < source.length(); first += pieceLength) {
            int count = (int) Math.min(pieceLength, source.length() - first);
            int bytes = count * elementBytes;
            DevicePointer from = new DevicePointer(source.address() + first * elementBytes);
            context.check(
                    cuMemcpyDtoHAsync(pinned.at(0), from, bytes, context.stream()),
                    "cuMemcpyDtoHAsync",
                    "download",
                    "from",
                    source);
            context.synchronize("download");
            used = 0;
            mover.move(piece(0, bytes), (int) first, count);
        }
    }

    private ByteBuffer piece(int offset, int bytes) {
        return pinned.bytes.slice(offset, bytes).order(pinned.bytes.order());
    }
}
