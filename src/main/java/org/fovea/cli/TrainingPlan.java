// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.nio.file.Path;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.TrainingOptions;

/**
 * How a run is trained, whatever it is.
 *
 * @param directory of the run
 * @param changes of its settings on the way
 * @param isResumed whether it was begun before
 * @param json whether the result is told as an object too
 */
record TrainingPlan(
        Path directory,
        TrainingOptions options,
        PlaySettings play,
        PlannedChanges changes,
        boolean isResumed,
        boolean json) {}
