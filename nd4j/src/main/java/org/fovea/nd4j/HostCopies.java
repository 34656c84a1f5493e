// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.bytedeco.javacpp.BytePointer;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;

/**
 * Copies between ND4J's memory on the host and a device. What lies densely is copied once; rows and single elements that lie
 * apart are brought together in a small buffer, which stays in cache.
 */
final class HostCopies {
    /** Bytes brought together at a time. */
    private static final int BUFFER = 1 << 16;

    /** The most bytes that one buffer shows: it is addressed by int. */
    private static final long WINDOW = 1 << 30;

    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER).order(ByteOrder.nativeOrder());

    /** Copies all elements of the view to a device. */
    void upload(ArrayView from, Memory memory, DeviceArray to) {
        transfer(from, to, new Transfer(memory, true));
    }

    /** Copies all elements of a device's array to the view. */
    void download(DeviceArray from, Memory memory, ArrayView to) {
        transfer(to, from, new Transfer(memory, false));
    }

    private record Transfer(Memory memory, boolean toDevice) {
        void run(ByteBuffer host, DeviceArray device) {
            if (toDevice) {
                memory.upload(host, device);
            } else {
                memory.download(device, host);
            }
        }
    }

    private void transfer(ArrayView view, DeviceArray device, Transfer transfer) {
        if (device.length() == 0) {
            return;
        }
        int bytes = view.type().bytes();
        long window = WINDOW / bytes;
        if (view.isDense()) {
            for (long first = 0; first < device.length(); first += window) {
                long count = Math.min(window, device.length() - first);
                transfer.run(
                        memory(view, first, count), count == device.length() ? device : device.slice(first, count));
            }
        } else if (view.span() > window) {
            long part = device.length() / view.shape()[0];
            for (long i = 0; i < view.shape()[0]; i++) {
                transfer(view.part(i), device.slice(i * part, part), transfer);
            }
        } else {
            rows(Rows.of(view), memory(view, 0, view.span()), device, transfer);
        }
    }

    /** Brings rows together, or takes them apart, a buffer at a time. */
    private void rows(Rows rows, ByteBuffer memory, DeviceArray device, Transfer transfer) {
        int perBuffer = BUFFER / rows.bytes;
        for (long first = 0; first < device.length(); first += perBuffer) {
            int count = (int) Math.min(perBuffer, device.length() - first);
            DeviceArray part = device.slice(first, count);
            if (transfer.toDevice) {
                rows.move(memory, first, count, buffer, true);
                transfer.run(buffer, part);
            } else {
                transfer.run(buffer, part);
                rows.move(memory, first, count, buffer, false);
            }
        }
    }

    /** The memory of elements of a view, from its first one on. */
    private static ByteBuffer memory(ArrayView view, long first, long count) {
        int bytes = view.type().bytes();
        long start = view.array().data().pointer().address() + (view.offset() + first) * bytes;
        return new Window(start, count * bytes).asByteBuffer().order(ByteOrder.nativeOrder());
    }

    /** Bytes at an address, of memory that ND4J owns. */
    private static final class Window extends BytePointer {
        Window(long address, long bytes) {
            this.address = address;
            limit = bytes;
            capacity = bytes;
        }
    }

    /** A view as rows of equal length, with as few axes as there can be. */
    private static final class Rows {
        private final int bytes;

        /** Axes but the last, which is a row. */
        private final long[] shape;

        private final long[] strides;
        private final int length;
        private final int stride;

        private Rows(int bytes, long[] shape, long[] strides) {
            this.bytes = bytes;
            int last = shape.length - 1;
            this.shape = Arrays.copyOf(shape, last);
            this.strides = Arrays.copyOf(strides, last);
            length = (int) shape[last];
            stride = (int) strides[last];
        }

        /** Joins neighbouring axes that are one in memory. */
        static Rows of(ArrayView view) {
            long[] shape = new long[view.shape().length + 1];
            long[] strides = new long[shape.length];
            int axes = 0;
            for (int axis = 0; axis < view.shape().length; axis++) {
                long extent = view.shape()[axis];
                long step = view.strides()[axis];
                if (extent == 1) {
                    continue;
                }
                if (axes > 0 && strides[axes - 1] == extent * step) {
                    shape[axes - 1] *= extent;
                    strides[axes - 1] = step;
                } else {
                    shape[axes] = extent;
                    strides[axes] = step;
                    axes++;
                }
            }
            if (axes == 0) {
                shape[axes++] = 1;
            }
            return new Rows(view.type().bytes(), Arrays.copyOf(shape, axes), Arrays.copyOf(strides, axes));
        }

        /** Moves elements {@code [first, first + count)} of the rows between memory and the start of a buffer. */
        void move(ByteBuffer memory, long first, int count, ByteBuffer buffer, boolean gather) {
            int done = 0;
            while (done < count) {
                long row = (first + done) / length;
                int column = (int) ((first + done) % length);
                int run = Math.min(length - column, count - done);
                int at = Math.toIntExact(start(row) + (long) column * stride);
                if (stride == 1) {
                    if (gather) {
                        buffer.put(done * bytes, memory, at * bytes, run * bytes);
                    } else {
                        memory.put(at * bytes, buffer, done * bytes, run * bytes);
                    }
                } else if (gather) {
                    elements(memory, at, stride, buffer, done, 1, run);
                } else {
                    elements(buffer, done, 1, memory, at, stride, run);
                }
                done += run;
            }
        }

        private long start(long row) {
            long start = 0;
            long rest = row;
            for (int axis = shape.length - 1; axis >= 0; axis--) {
                start += rest % shape[axis] * strides[axis];
                rest /= shape[axis];
            }
            return start;
        }

        private void elements(ByteBuffer from, int at, int step, ByteBuffer to, int toAt, int toStep, int count) {
            switch (bytes) {
                case 2 -> {
                    for (int i = 0; i < count; i++) {
                        to.putShort(2 * (toAt + i * toStep), from.getShort(2 * (at + i * step)));
                    }
                }
                case 4 -> {
                    for (int i = 0; i < count; i++) {
                        to.putInt(4 * (toAt + i * toStep), from.getInt(4 * (at + i * step)));
                    }
                }
                default -> {
                    for (int i = 0; i < count; i++) {
                        to.putLong(8 * (toAt + i * toStep), from.getLong(8 * (at + i * step)));
                    }
                }
            }
        }
    }
}
