// SPDX-License-Identifier: Apache-2.0
@NullMarked
package org.fovea.optim;

import org.jspecify.annotations.NullMarked;
