// SPDX-License-Identifier: Apache-2.0
/**
 * Playing fixed episodes with a policy that stays as it is, greedily or with sampled actions: {@link
 * org.fovea.rl.evaluation.Evaluation#play}.
 *
 * <p>It has an {@link org.fovea.rl.evaluation.EvaluationPlayer} for each batch of environments; all of them take episodes
 * from one {@link org.fovea.rl.evaluation.EpisodeTable}, and write there how they ended. {@link
 * org.fovea.rl.evaluation.EvaluationSettings} say which episodes, {@link org.fovea.rl.evaluation.EvaluationResult} is their
 * outcome.
 *
 * <p>{@link org.fovea.rl.evaluation.EpisodeRecorder} plays one episode to be looked at, an {@link
 * org.fovea.rl.evaluation.Episode}: what was seen, done and expected in each step, and by {@link
 * org.fovea.rl.evaluation.AttentionMap} what each layer of the policy attended to.
 */
@NullMarked
package org.fovea.rl.evaluation;

import org.jspecify.annotations.NullMarked;
