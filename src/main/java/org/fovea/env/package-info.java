/** Environments: one at a time for users, many at once for the trainer, and the built-in suites. */
@NullMarked
package org.fovea.env;

import org.jspecify.annotations.NullMarked;
