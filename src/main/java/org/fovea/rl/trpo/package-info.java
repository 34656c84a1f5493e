/**
 * Trust region policy optimisation (Schulman et al. 2015, arXiv:1502.05477): natural gradient by conjugate gradients with exact
 * Fisher-vector products, a line search, and the fit of the critic.
 */
@NullMarked
package org.fovea.rl.trpo;

import org.jspecify.annotations.NullMarked;
