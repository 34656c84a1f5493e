// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import jcuda.driver.CUdeviceptr;

/** A device address that can be read, which JCuda keeps to itself. */
public final class DevicePointer extends CUdeviceptr {

    private static final CUdeviceptr NULL = new CUdeviceptr();

    /** For the driver to fill in. */
    public DevicePointer() {}

    public DevicePointer(long address) {
        super(NULL, address);
    }

    public long address() {
        return getNativePointer() + getByteOffset();
    }
}
