// SPDX-License-Identifier: Apache-2.0
/**
 * Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347): {@link org.fovea.rl.ppo.PpoConfig}, its
 * hyper-parameters and their defaults, and {@link org.fovea.rl.ppo.Ppo}, readable from {@code update} down.
 */
@NullMarked
package org.fovea.rl.ppo;

import org.jspecify.annotations.NullMarked;
