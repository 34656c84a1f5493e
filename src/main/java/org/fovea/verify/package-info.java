// SPDX-License-Identifier: Apache-2.0
/**
 * Verification of a backend against the float64 reference: one table of cases ({@link org.fovea.verify.Case}), each with an error
 * bound derived from the number of roundings, that {@code fovea selftest} runs on a device and the JUnit contract on every
 * backend. {@link org.fovea.verify.Pair} holds the same arrays on both backends, between guards; {@link
 * org.fovea.verify.AttentionProblem} is an attention with {@link org.fovea.verify.AttentionFeatures} and the checks of every
 * operation on it, which tests of attention build too, and change its numbers before they run it; {@link
 * org.fovea.verify.AttentionCatalogue} lists the features.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.verify;

import org.jspecify.annotations.NullMarked;
