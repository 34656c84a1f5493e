/**
 * Policies: how observations are encoded and normalised, networks with and without memory, distributions of actions. {@link
 * org.fovea.rl.policy.Agent} has all of one policy.
 */
@NullMarked
package org.fovea.rl.policy;

import org.jspecify.annotations.NullMarked;
