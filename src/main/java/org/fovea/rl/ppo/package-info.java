/**
 * Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347).
 */
@NullMarked
package org.fovea.rl.ppo;

import org.jspecify.annotations.NullMarked;
