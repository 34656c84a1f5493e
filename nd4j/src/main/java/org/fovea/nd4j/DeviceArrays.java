// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Where an ND4J backend has its arrays on a device; found as a service. All calls come from the thread whose arrays they
 * are.
 */
public interface DeviceArrays {

    /** Whether the ND4J backend in use is the one that this knows. */
    boolean isActive();

    /** The number of the device that holds the array. */
    int device(INDArray array);

    /** The address of the start of the array's buffer on its device, where what it holds is brought up to date. */
    long address(INDArray array);

    /** The stream that ND4J's operations on the calling thread go into. */
    long stream();

    /** Says that the device wrote the array, so that what the host has of it is old. */
    void written(INDArray array);
}
