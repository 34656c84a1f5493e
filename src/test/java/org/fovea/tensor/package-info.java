// SPDX-License-Identifier: Apache-2.0
@NullMarked
package org.fovea.tensor;

import org.jspecify.annotations.NullMarked;
