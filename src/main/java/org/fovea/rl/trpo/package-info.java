// SPDX-License-Identifier: Apache-2.0
/**
 * Trust region policy optimisation (Schulman et al. 2015, arXiv:1502.05477): {@link org.fovea.rl.trpo.TrpoConfig}, its
 * hyper-parameters and their defaults, and {@link org.fovea.rl.trpo.Trpo}, readable from {@code update} down.
 *
 * <p>{@code Trpo} finds the natural gradient by conjugate gradients with exact products of {@link
 * org.fovea.rl.trpo.FisherVectorProduct}, goes along it as far as a line search allows, and then lets {@link
 * org.fovea.rl.trpo.ValueFit} fit the critic.
 */
@NullMarked
package org.fovea.rl.trpo;

import org.jspecify.annotations.NullMarked;
