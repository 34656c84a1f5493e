// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuDeviceTotalMem;
import static jcuda.driver.JCudaDriver.cuDriverGetVersion;
import static jcuda.driver.JCudaDriver.cuInit;

import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;

/**
 * The driver's version and its devices, as it reports them without opening any.
 *
 * @param driverVersion such as 12040 for CUDA 12.4
 * @param result of the first call that failed, or 0
 * @param devices in the driver's order
 */
public record DeviceTable(int driverVersion, int result, List<Entry> devices) {

    /**
     * A device.
     *
     * @param architecture such as 86 for compute capability 8.6
     */
    public record Entry(int index, String name, long memoryBytes, int architecture) {}

    /** Asks a driver that is loaded. */
    public static DeviceTable read() {
        int[] number = new int[1];
        int result = cuDriverGetVersion(number);
        int version = number[0];
        result = result == CUresult.CUDA_SUCCESS ? cuInit(0) : result;
        result = result == CUresult.CUDA_SUCCESS ? cuDeviceGetCount(number) : result;
        List<Entry> devices = new ArrayList<>();
        for (int index = 0; result == CUresult.CUDA_SUCCESS && index < number[0]; index++) {
            CUdevice device = new CUdevice();
            byte[] name = new byte[256];
            long[] bytes = new long[1];
            int[] major = new int[1];
            int[] minor = new int[1];
            result = firstFailure(
                    cuDeviceGet(device, index),
                    cuDeviceGetName(name, name.length, device),
                    cuDeviceTotalMem(bytes, device),
                    cuDeviceGetAttribute(major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
                    cuDeviceGetAttribute(minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device));
            devices.add(new Entry(index, CudaContext.text(name), bytes[0], major[0] * 10 + minor[0]));
        }
        return new DeviceTable(version, result, List.copyOf(devices));
    }

    private static int firstFailure(int... results) {
        for (int result : results) {
            if (result != CUresult.CUDA_SUCCESS) {
                return result;
            }
        }
        return CUresult.CUDA_SUCCESS;
    }
}
