// SPDX-License-Identifier: Apache-2.0
/** Optimisers. */
@NullMarked
package org.fovea.optim;

import org.jspecify.annotations.NullMarked;
