// SPDX-License-Identifier: Apache-2.0
/**
 * The findings of {@code fovea doctor} about a machine: driver, devices, kernels, cuBLAS, and the host around them.
 *
 * <p>Start with {@link org.fovea.backend.cuda.diagnostics.CudaDiagnostics}, which asks {@code CublasDiagnostics} and, for whatever
 * no driver can tell, {@link org.fovea.backend.cuda.diagnostics.HostInfo}.
 */
@NullMarked
package org.fovea.backend.cuda.diagnostics;

import org.jspecify.annotations.NullMarked;
