// SPDX-License-Identifier: Apache-2.0
/**
 * The CUDA driver API behind objects.
 *
 * <p>Start with {@link org.fovea.backend.cuda.driver.CudaContext}, which opens a device and turns results of the driver into
 * exceptions, and {@link org.fovea.backend.cuda.driver.CudaKernels}, which loads kernels and launches them; {@link
 * org.fovea.backend.cuda.driver.Grid} has the arithmetic of launches. {@link org.fovea.backend.cuda.driver.CudaMemory} finds the
 * {@link org.fovea.backend.cuda.driver.CudaArray} behind an operand; it takes blocks of a {@code DevicePool}, transfers through
 * {@code Staging}, and has a {@link org.fovea.backend.cuda.driver.StepRecorder} that captures steps as graphs. {@code
 * CudaNatives} and the classes around it find and load the native libraries before any of this.
 */
@NullMarked
package org.fovea.backend.cuda.driver;

import org.jspecify.annotations.NullMarked;
