// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import org.fovea.rl.imitation.ImitationResult.Fit;
import org.fovea.rl.policy.Agent;

/** How far what a policy would do is from what was done, added up over segments. */
final class Deviations {
    private final int parts;
    private final int width;
    private final boolean choosing;
    private final double[] squares;
    private double loss;
    private long right;
    private long count;

    Deviations(Agent agent) {
        this.choosing = agent.bounds() == null;
        this.parts = agent.distribution().actionSize();
        this.width = agent.distribution().outputs() / parts;
        this.squares = new double[choosing ? 0 : parts];
    }

    /** @param outputs of the policy for the rows of the segment, [rows, parts, width] */
    void add(Replay replay, float[] outputs) {
        float[] weights = replay.weights();
        for (int row = 0; row < weights.length; row++) {
            if (weights[row] == 0) {
                continue;
            }
            count++;
            boolean allRight = choosing;
            for (int part = 0; part < parts; part++) {
                int at = row * parts + part;
                if (choosing) {
                    int taken = replay.takenChoices()[at];
                    loss -= logProbability(outputs, at * width, taken);
                    allRight &= mostLikely(outputs, at * width) == taken;
                } else {
                    double distance = outputs[at] - replay.takenNumbers()[at];
                    squares[part] += distance * distance;
                    loss += 0.5 * distance * distance;
                }
            }
            right += allRight ? 1 : 0;
        }
    }

    private int mostLikely(float[] logits, int from) {
        int best = 0;
        for (int i = 1; i < width; i++) {
            if (logits[from + i] > logits[from + best]) {
                best = i;
            }
        }
        return best;
    }

    private double logProbability(float[] logits, int from, int taken) {
        double largest = logits[from + mostLikely(logits, from)];
        double sum = 0;
        for (int i = 0; i < width; i++) {
            sum += Math.exp(logits[from + i] - largest);
        }
        return logits[from + taken] - largest - Math.log(sum);
    }

    Fit fit() {
        return new Fit(loss / count, choosing ? (double) right / count : Double.NaN);
    }

    /** Of each number of an action. */
    double[] rootMeanSquares() {
        double[] roots = new double[squares.length];
        for (int i = 0; i < roots.length; i++) {
            roots[i] = Math.sqrt(squares[i] / count);
        }
        return roots;
    }
}
