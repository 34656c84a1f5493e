// SPDX-License-Identifier: Apache-2.0
/** Files: tensors in the safetensors format, and checkpoints that survive a killed run. */
@NullMarked
package org.fovea.io;

import org.jspecify.annotations.NullMarked;
