// SPDX-License-Identifier: Apache-2.0
/**
 * The contract every device fulfils: memory, an ordered stream of work, and operations on flat arrays.
 *
 * <p>Nothing here knows of tensors, layers or trainers. Implementations live in the sub-packages {@code cpu} and
 * {@code cuda} and are found through {@link org.fovea.backend.Backends}.
 */
@NullMarked
package org.fovea.backend;

import org.jspecify.annotations.NullMarked;
