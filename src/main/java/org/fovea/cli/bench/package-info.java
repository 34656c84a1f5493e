/** Measurements that a user can repeat: each prints a table next to the numbers it is held to. */
@NullMarked
package org.fovea.cli.bench;

import org.jspecify.annotations.NullMarked;
