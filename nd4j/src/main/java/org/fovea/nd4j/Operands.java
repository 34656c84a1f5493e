// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceSharing;
import org.fovea.backend.memory.RowMajor;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.concurrency.AffinityManager.Location;
import org.nd4j.linalg.factory.Nd4j;

/**
 * The arrays of one operation on their way to the device and back. Made on the caller's thread, which gives it the views; used
 * on the device's, which gets arrays for them; and finished on the caller's again.
 *
 * <p>Where ND4J has its arrays on the same device, those that lie densely are borrowed and nothing is copied; others are
 * rearranged on the device. Where it has them on the host, they are copied.
 */
final class Operands {
    private final Device device;
    private final @Nullable DeviceSharing sharing;
    private final @Nullable DeviceArrays onDevice;
    private final long stream;
    private final List<Operand> operands = new ArrayList<>();

    /** What reads the array that the operation gave for an operand. */
    static final class Operand {
        private final ArrayView view;
        private final boolean written;
        private final long address;
        private @Nullable DeviceArray array;

        private Operand(ArrayView view, boolean written, long address) {
            this.view = view;
            this.written = written;
            this.address = address;
        }

        private boolean isShared() {
            return address != 0;
        }

        private boolean overlaps(Operand other) {
            long bytes = view.span() * view.type().bytes();
            long otherBytes = other.view.span() * other.view.type().bytes();
            return address < other.address + otherBytes && other.address < address + bytes;
        }

        /** The memory from the view's first element to its last, where ND4J has it. */
        private DeviceArray borrowed(DeviceSharing lender) {
            return lender.borrow(address, view.type(), view.span());
        }
    }

    Operands(Device device) {
        this.device = device;
        DeviceArrays onDevice = device.arrays();
        sharing = onDevice == null ? null : device.backend().sharing().orElse(null);
        this.onDevice = sharing == null ? null : onDevice;
        stream = this.onDevice == null ? 0 : this.onDevice.stream();
    }

    /**
     * An array that is read.
     *
     * @param kept whether it is read after the operation too, so that memory of a workspace must be copied
     */
    Operand read(ArrayView view, boolean kept) {
        return add(view, false, !(kept && view.array().isAttached()));
    }

    /** An array that is written. */
    Operand write(ArrayView view) {
        return add(view.requireWritable(), true, true);
    }

    private Operand add(ArrayView view, boolean written, boolean mayBorrow) {
        Operand operand = new Operand(view, written, view.length() == 0 || !mayBorrow ? 0 : address(view));
        if (!operand.isShared() && view.length() > 0) {
            Nd4j.getAffinityManager().ensureLocation(view.array(), Location.HOST);
        }
        operands.add(operand);
        return operand;
    }

    /** On the device, or 0 where the operand goes through the host's memory. */
    private long address(ArrayView view) {
        if (onDevice == null
                || sharing == null
                || !view.isDense() && view.type().isHalf()) {
            return 0;
        }
        int place = onDevice.device(view.array());
        if (place != sharing.device()) {
            throw new IllegalArgumentException("attention: " + ArrayView.describe(view.name(), view.array())
                    + " is on device " + place + ", but attention runs on device " + sharing.device()
                    + "; open an AttentionEngine on device " + place + ", or bring the array there by"
                    + " Nd4j.getAffinityManager().replicateToDevice(" + sharing.device() + ", array)");
        }
        return onDevice.address(view.array()) + view.offset() * view.type().bytes();
    }

    /** Lets the device wait for what ND4J is about to do to the arrays. */
    void begin() {
        if (sharing != null) {
            sharing.runAfter(stream);
        }
    }

    /** The array of an operand that is read, or for one that is written. */
    DeviceArray onDevice(Operand operand, Scope scope) {
        DeviceArray made;
        if (operand.isShared() && sharing != null && mayUse(operand)) {
            made = operand.borrowed(sharing);
        } else {
            made = scope.allocate(operand.view.type(), operand.view.length());
            if (!operand.written) {
                fill(operand, made);
            }
        }
        operand.array = made;
        return made;
    }

    private boolean mayUse(Operand operand) {
        return operand.view.isDense()
                && (!operand.written
                        || operands.stream()
                                .noneMatch(other -> other != operand && other.isShared() && operand.overlaps(other)));
    }

    private void fill(Operand operand, DeviceArray target) {
        Backend backend = device.backend();
        if (sharing != null && operand.isShared()) {
            int[] shape = ints(operand.view.shape());
            backend.math()
                    .arrange(
                            shape,
                            operand.borrowed(sharing),
                            ints(operand.view.strides()),
                            target,
                            RowMajor.strides(shape));
        } else {
            device.copies().upload(operand.view, backend.memory(), target);
        }
    }

    /** Brings what was written to where it is wanted, and lets ND4J wait for it. */
    void end() {
        for (Operand operand : operands) {
            DeviceArray array = operand.array;
            if (!operand.written || array == null || array.length() == 0) {
                continue;
            }
            if (sharing == null || !operand.isShared()) {
                device.copies().download(array, device.backend().memory(), operand.view);
            } else if (!mayUse(operand)) {
                store(operand, array, sharing);
            }
        }
        if (sharing != null) {
            sharing.runBefore(stream);
        }
    }

    private void store(Operand operand, DeviceArray array, DeviceSharing lender) {
        Backend backend = device.backend();
        if (operand.view.isDense()) {
            backend.memory().copy(array, operand.borrowed(lender));
            return;
        }
        int[] shape = ints(operand.view.shape());
        backend.math()
                .arrange(shape, array, RowMajor.strides(shape), operand.borrowed(lender), ints(operand.view.strides()));
    }

    /** Tells ND4J which copy of what was written is the newest. On the caller's thread. */
    void finish() {
        for (Operand operand : operands) {
            if (!operand.written || operand.view.length() == 0) {
                continue;
            }
            if (operand.isShared() && onDevice != null) {
                onDevice.written(operand.view.array());
            } else {
                Nd4j.getAffinityManager().tagLocation(operand.view.array(), Location.HOST);
            }
        }
    }

    private static int[] ints(long[] values) {
        return Arrays.stream(values).mapToInt(Math::toIntExact).toArray();
    }
}
