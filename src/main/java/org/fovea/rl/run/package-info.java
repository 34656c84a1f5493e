// SPDX-License-Identifier: Apache-2.0
/**
 * Runs from first step to last. {@link org.fovea.rl.run.Trainer} is the way in: it starts a {@link
 * org.fovea.rl.run.RunSpec}, such as {@link org.fovea.rl.run.Defaults} gives, or resumes a {@link
 * org.fovea.rl.run.SavedRun}, perhaps with a {@link org.fovea.rl.run.SettingChange}, and iterates to its end.
 *
 * <p>All that changes from iteration to iteration is in {@link org.fovea.rl.run.TrainingState}, which is built once {@link
 * org.fovea.rl.run.MemoryRequirement} finds room for it. A run's directory ({@link org.fovea.rl.run.RunFiles}) is kept from
 * other processes by {@link org.fovea.rl.run.RunLock} and holds checkpoints ({@code SavedRun}) and tables, of iterations ({@link
 * org.fovea.rl.run.TrainingLog}) and of the evaluations that {@link org.fovea.rl.run.PeriodicEvaluation} plays meanwhile, by an
 * {@link org.fovea.rl.run.EvaluationPlan}. {@link org.fovea.rl.run.TrainedPolicy} takes the policy out of one again.
 */
@NullMarked
package org.fovea.rl.run;

import org.jspecify.annotations.NullMarked;
