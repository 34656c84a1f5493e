// SPDX-License-Identifier: Apache-2.0
/**
 * Python's Gymnasium, in both directions. {@link org.fovea.env.gymnasium.GymnasiumProvider} knows environments by names such as
 * {@code gym:CartPole-v1}: a {@link org.fovea.env.gymnasium.GymnasiumBatch} plays them in {@link
 * org.fovea.env.gymnasium.PythonWorker}s, processes of {@code worker.py}. {@link org.fovea.env.gymnasium.EnvironmentServer} offers
 * environments of Java to {@code python/fovea/gymnasium.py}.
 */
@NullMarked
package org.fovea.env.gymnasium;

import org.jspecify.annotations.NullMarked;
