/**
 * Playing fixed episodes with a policy that stays as it is, greedily or with sampled actions.
 */
@NullMarked
package org.fovea.rl.evaluation;

import org.jspecify.annotations.NullMarked;
