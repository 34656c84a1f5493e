// SPDX-License-Identifier: Apache-2.0
/**
 * Measurements that a user can repeat: each prints a table next to the numbers it is held to.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.cli.bench;

import org.jspecify.annotations.NullMarked;
