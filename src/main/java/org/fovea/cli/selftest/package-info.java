// SPDX-License-Identifier: Apache-2.0
/**
 * The self-test of a backend on this machine: the table of cases, repeated runs, and updates of PPO.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.cli.selftest;

import org.jspecify.annotations.NullMarked;
