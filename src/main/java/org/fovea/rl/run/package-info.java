/**
 * Runs from first step to last: their directories, checkpoints, logs and final evaluation. {@link org.fovea.rl.run.Trainer} is
 * the way in.
 */
@NullMarked
package org.fovea.rl.run;

import org.jspecify.annotations.NullMarked;
