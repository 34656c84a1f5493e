// SPDX-License-Identifier: Apache-2.0
/**
 * The structs that kernels take, one Java class each, generated from the {@code params.h} files under {@code kernels} by
 * {@code kernels/parameters.sh}: after a build they are in {@code target/generated-sources/kernels}. Whoever launches a kernel fills one and passes it to {@link
 * org.fovea.backend.cuda.driver.CudaKernels}.
 */
@NullMarked
package org.fovea.backend.cuda.params;

import org.jspecify.annotations.NullMarked;
