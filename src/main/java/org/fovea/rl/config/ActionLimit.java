// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

/** How what a policy draws comes within the bounds of a continuous action space. */
public enum ActionLimit {
    /** What lies outside becomes the bound. */
    CLIP,
    /** The hyperbolic tangent of what was drawn, so that the bounds are reached by the largest numbers alone. */
    TANH
}
