/**
 * Whether a backend computes what it should on this machine: its contract against plain float64 loops.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.cli.selftest;

import org.jspecify.annotations.NullMarked;
