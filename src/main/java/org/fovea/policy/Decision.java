// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import java.util.Arrays;
import org.fovea.env.Action;
import org.fovea.env.Schema;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRunner;

/** What a {@link PolicySession} decided in its last step; overwritten by the next. */
public final class Decision {
    private final int batch;

    /** Of each part of an action: from how many, and the number of the first. */
    private final int[] sizes;

    private final int[] starts;
    private final int numbersPerAction;
    private final int outputsPerPart;
    private final int[] choices;
    private final float[] numbers;
    private final float[] outputs;
    private final float[] values;

    Decision(Agent agent, Schema actions, int batch) {
        this.batch = batch;
        this.sizes = actions.choices();
        this.starts = actions.starts();
        this.numbersPerAction = sizes.length > 0 ? 0 : agent.spaces().actions().size();
        int width = agent.distribution().outputs();
        this.outputsPerPart = width / Math.max(1, sizes.length);
        this.choices = new int[batch * sizes.length];
        this.numbers = new float[batch * numbersPerAction];
        this.outputs = new float[batch * width];
        this.values = new float[batch];
    }

    void read(PolicyRunner runner) {
        int[] chosen = runner.choices();
        for (int i = 0; i < choices.length; i++) {
            choices[i] = chosen[i] + starts[i % sizes.length];
        }
        System.arraycopy(runner.boundedValues(), 0, numbers, 0, numbers.length);
        runner.outputs(outputs);
        runner.stateValues(values);
    }

    /** The choice, of a {@link org.fovea.env.Space.Discrete} in a session of one environment. */
    public int choice() {
        return choice(0);
    }

    /**
     * The choice in an environment of the batch, or that of the first part of an action.
     *
     * @throws IllegalStateException if actions are numbers
     */
    public int choice(int environment) {
        if (sizes.length == 0) {
            throw new IllegalStateException(
                    "this policy's actions are " + numbersPerAction + " numbers, not choices: numbers()");
        }
        return choices[environment * sizes.length];
    }

    /** [batch, parts of an action], every choice; empty if actions are numbers. Not to be changed. */
    public int[] choices() {
        return choices;
    }

    /** [batch, numbers of an action], within the bounds of the action space; empty if choices are made. Not to be changed. */
    public float[] numbers() {
        return numbers;
    }

    /** A copy of the action in an environment of the batch. */
    public Action action(int environment) {
        return new Action(row(choices, environment, sizes.length), row(environment));
    }

    private static int[] row(int[] all, int row, int width) {
        return Arrays.copyOfRange(all, row * width, (row + 1) * width);
    }

    private float[] row(int row) {
        return Arrays.copyOfRange(numbers, row * numbersPerAction, (row + 1) * numbersPerAction);
    }

    /** The value of the observation: the discounted return to be expected from there on. */
    public float value() {
        return value(0);
    }

    /** The value in an environment of the batch. */
    public float value(int environment) {
        return values[environment];
    }

    /**
     * What the network gave for an environment: logits, as many for each part of an action (-1e30 and less for what is forbidden), or the
     * means of numbers before they are brought within bounds.
     */
    public float[] outputs(int environment) {
        int width = outputs.length / batch;
        return Arrays.copyOfRange(outputs, environment * width, (environment + 1) * width);
    }

    /**
     * The probability of each choice of a part of an action.
     *
     * @throws IllegalStateException if actions are numbers
     */
    public float[] probabilities(int environment, int part) {
        if (sizes.length == 0) {
            throw new IllegalStateException("actions that are numbers have densities, not probabilities");
        }
        int from = environment * (outputs.length / batch) + part * outputsPerPart;
        double largest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < sizes[part]; i++) {
            largest = Math.max(largest, outputs[from + i]);
        }
        double sum = 0;
        float[] probabilities = new float[sizes[part]];
        for (int i = 0; i < probabilities.length; i++) {
            double numerator = Math.exp(outputs[from + i] - largest);
            probabilities[i] = (float) numerator;
            sum += numerator;
        }
        for (int i = 0; i < probabilities.length; i++) {
            probabilities[i] = (float) (probabilities[i] / sum);
        }
        return probabilities;
    }

    /** The probability of each choice, of the first environment and part. */
    public float[] probabilities() {
        return probabilities(0, 0);
    }

    @Override
    public String toString() {
        return batch == 1 ? action(0).toString() : "decisions of " + batch + " environments";
    }
}
