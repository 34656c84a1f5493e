// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Space;

/** Arms that pay with probabilities drawn anew for each episode; the return is the share of pulls that paid. */
final class Bandit extends Task {
    private final double[] probabilities;
    private final int pulls;
    private float paid;

    Bandit(int arms, int pulls) {
        super(pulls);
        this.probabilities = new double[arms];
        this.pulls = pulls;
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(1, 0, 1);
    }

    @Override
    public Space actionSpace() {
        return new Space.Discrete(probabilities.length);
    }

    @Override
    void begin(Random random) {
        paid = 0;
        for (int arm = 0; arm < probabilities.length; arm++) {
            probabilities[arm] = random.nextDouble();
        }
    }

    @Override
    float[] observe() {
        return new float[] {paid};
    }

    @Override
    double act(Action action) {
        paid = random().nextDouble() < probabilities[action.choice()] ? 1 : 0;
        return paid / pulls;
    }
}
