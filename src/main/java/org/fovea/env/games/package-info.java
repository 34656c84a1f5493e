// SPDX-License-Identifier: Apache-2.0
/**
 * The built-in environments, a class each: its rules, the score that counts as solved, returns to compare with, and the
 * settings under which it is learned well. {@link org.fovea.env.games.Games} lists them.
 *
 * <p>{@link org.fovea.env.games.CartPole} shows how one is written. Those of POPGym come in three levels, {@link
 * org.fovea.env.games.Level}; its games of cards extend {@link org.fovea.env.games.CardGame}.
 */
@NullMarked
package org.fovea.env.games;

import org.jspecify.annotations.NullMarked;
