// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

/** How a hyper-parameter falls over a run. */
public enum Schedule {
    /** It stays. */
    CONSTANT,
    /** In a straight line to 0. */
    LINEAR,
    /** Along half a wave of the cosine to 0: slowly, fast, slowly. */
    COSINE;

    /** What {@code start} has become when the given share of the run is done. */
    public double at(double start, double progress) {
        return switch (this) {
            case CONSTANT -> start;
            case LINEAR -> start - start * progress;
            case COSINE -> start * (1 + Math.cos(Math.PI * progress)) / 2;
        };
    }
}
