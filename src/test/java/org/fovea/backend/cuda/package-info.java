// SPDX-License-Identifier: Apache-2.0
@NullMarked
package org.fovea.backend.cuda;

import org.jspecify.annotations.NullMarked;
