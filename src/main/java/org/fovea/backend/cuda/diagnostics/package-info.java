/**
 * What {@code fovea doctor} finds out about a machine: driver, devices, kernels, cuBLAS, and the host around them.
 */
@NullMarked
package org.fovea.backend.cuda.diagnostics;

import org.jspecify.annotations.NullMarked;
