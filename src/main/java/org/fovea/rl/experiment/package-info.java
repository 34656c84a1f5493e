// SPDX-License-Identifier: Apache-2.0
/**
 * Many runs and what follows from them. An {@link org.fovea.rl.experiment.Experiment} trains its {@link
 * org.fovea.rl.experiment.Cell}s side by side and leaves a {@link org.fovea.rl.experiment.CellResult} of each, a file of its own, so
 * that one that was stopped or killed goes on where it was. A {@link org.fovea.rl.experiment.Sweep} varies settings; a {@link
 * org.fovea.rl.experiment.Suite} is a list of tasks with what others have reached on them.
 *
 * <p>{@link org.fovea.rl.experiment.ScoreStatistics} says what a few seeds tell, {@link org.fovea.rl.chart.LineChart} draws
 * their learning curves.
 */
@NullMarked
package org.fovea.rl.experiment;

import org.jspecify.annotations.NullMarked;
