/** Whether a backend computes what it should on this machine: its contract against plain float64 loops. */
@NullMarked
package org.fovea.cli.selftest;

import org.jspecify.annotations.NullMarked;
