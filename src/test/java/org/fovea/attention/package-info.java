// SPDX-License-Identifier: Apache-2.0
@NullMarked
package org.fovea.attention;

import org.jspecify.annotations.NullMarked;
