// SPDX-License-Identifier: Apache-2.0
/** Arrays of nd4j-cuda on the device, where Fovea's kernels read and write them in place. */
@NullMarked
package org.fovea.nd4j.cuda;

import org.jspecify.annotations.NullMarked;
