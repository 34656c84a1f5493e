// SPDX-License-Identifier: Apache-2.0
/** Sums over cards by NCCL: {@link org.fovea.collective.nccl.NcclProvider}, called by JNA, which only those need who use it. */
@NullMarked
package org.fovea.collective.nccl;

import org.jspecify.annotations.NullMarked;
