// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** The element type of a {@link DeviceArray}. */
public enum DType {
    /** IEEE 754 binary32, the type devices compute in. */
    F32(4),
    /** IEEE 754 binary64, the type of the reference backend. */
    F64(8),
    /** bfloat16, the upper half of a binary32: for storage, arithmetic on it is in F32. */
    BF16(2),
    /** IEEE 754 binary16: for storage, arithmetic on it is in F32. */
    F16(2),
    /** Two's complement 32-bit integers: actions, row indices, segment ids, lengths. */
    I32(4);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    /** Whether elements are floating-point numbers. */
    public boolean isFloating() {
        return this != I32;
    }

    /** Whether this is {@link #BF16} or {@link #F16}. */
    public boolean isHalf() {
        return this == BF16 || this == F16;
    }
}
