package org.fovea.backend.cuda;

import jcuda.driver.CUdeviceptr;

/** A device address that can be read, which JCuda keeps to itself. */
final class DevicePointer extends CUdeviceptr {

    private static final CUdeviceptr NULL = new CUdeviceptr();

    /** For the driver to fill in. */
    DevicePointer() {}

    DevicePointer(long address) {
        super(NULL, address);
    }

    long address() {
        return getNativePointer() + getByteOffset();
    }
}
