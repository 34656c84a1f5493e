// SPDX-License-Identifier: Apache-2.0
/**
 * Acting with a trained policy, in a Java program that trains nothing.
 *
 * <pre>{@code
 * Policy policy = Policy.load(Path.of("policy.safetensors")); // or the directory of a run
 * PolicySession session = policy.newSession();                // one for each environment, user, game ...
 * int choice = session.act(observation).choice();
 * }</pre>
 *
 * <p>{@link org.fovea.policy.Policy} is immutable and serves any number of threads; a {@link org.fovea.policy.PolicySession} is what a
 * policy remembers of one environment, or of a batch of them, and belongs to one thread at a time. Both run the code that trains and
 * evaluates, on one core: a step is recorded once and from then on allocates nothing.
 */
@NullMarked
package org.fovea.policy;

import org.jspecify.annotations.NullMarked;
