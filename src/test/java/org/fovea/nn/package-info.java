// SPDX-License-Identifier: Apache-2.0
@NullMarked
package org.fovea.nn;

import org.jspecify.annotations.NullMarked;
