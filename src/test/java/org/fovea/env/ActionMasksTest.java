// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What environments forbid, on its way from a user's code to the policy, and what is wrong with it. */
class ActionMasksTest {

    /** Two choices, of 3 (from 5 on) and of 2; each step forbids what was chosen. */
    private static class Forgetful implements Environment, SavesState {
        static final List<Action> SEEN = new ArrayList<>();
        boolean masks = true;
        boolean @Nullable [] first = {true, false, true, true, true};
        int steps;

        @Override
        public Space observationSpace() {
            return new Space.Box(1, 0, 100);
        }

        @Override
        public Space actionSpace() {
            return new Space.Tuple(new Space.Discrete(3, 5), new Space.MultiBinary(1));
        }

        @Override
        public boolean masksActions() {
            return masks;
        }

        @Override
        public boolean @Nullable [] actionMask() {
            return steps == 0 ? first : null;
        }

        @Override
        public float[] reset(long seed) {
            steps = 0;
            return new float[1];
        }

        @Override
        public Step step(Action action) {
            SEEN.add(action);
            steps++;
            Step step = steps == 3 ? Step.terminated(new float[] {steps}, 0) : Step.of(new float[] {steps}, 0);
            return steps == 2 ? step : step.withMask(maskAfter(action));
        }

        boolean[] maskAfter(Action action) {
            boolean[] mask = {true, true, true, true, true};
            mask[action.choice(0) - 5] = false;
            mask[3 + action.choice(1)] = false;
            return mask;
        }

        @Override
        public void saveState(DataOutput out) throws IOException {
            out.writeInt(steps);
        }

        @Override
        public void restoreState(DataInput in) throws IOException {
            steps = in.readInt();
        }
    }

    private static VectorEnvironment batch(Forgetful... environments) {
        int[] next = {0};
        return EnvironmentSpec.of("Forgetful", "", () -> environments[next[0]++])
                .create(environments.length);
    }

    private static boolean[] masks(VectorEnvironment batch) {
        boolean[] allowed = batch.newActionMasks();
        batch.actionMasks(allowed);
        return allowed;
    }

    @Test
    void followWhatTheEnvironmentSaysOfItsState() {
        VectorEnvironment batch = batch(new Forgetful(), new Forgetful());
        StepBatch result = StepBatch.allocate(2, 1);
        batch.reset(1, 0, result.observations());
        assertThat(masks(batch)).containsExactly(true, false, true, true, true, true, false, true, true, true);
        Forgetful.SEEN.clear();
        batch.step(new int[] {2, 0, 0, 1}, new float[0], result);
        assertThat(Forgetful.SEEN).containsExactly(Action.ofChoices(7, 0), Action.ofChoices(5, 1));
        assertThat(masks(batch)).containsExactly(true, true, false, false, true, false, true, true, true, false);
        // The second step says nothing, nor does the environment: all are allowed.
        batch.step(new int[] {0, 1, 1, 0}, new float[0], result);
        assertThat(masks(batch)).containsOnly(true);
        // The third ends the episode: the mask is that of the next one's first state.
        batch.step(new int[] {0, 1, 1, 0}, new float[0], result);
        assertThat(masks(batch)).containsExactly(true, false, true, true, true, true, false, true, true, true);
    }

    @Test
    void areSavedWithTheState() throws IOException {
        VectorEnvironment batch = batch(new Forgetful());
        StepBatch result = StepBatch.allocate(1, 1);
        batch.reset(1, 0, result.observations());
        batch.step(new int[] {2, 0}, new float[0], result);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        batch.saveState(0, new DataOutputStream(bytes));
        VectorEnvironment other = batch(new Forgetful());
        other.restoreState(0, new DataInputStream(new ByteArrayInputStream(bytes.toByteArray())));
        assertThat(masks(other)).containsExactly(masks(batch)).containsExactly(true, true, false, false, true);
    }

    @Test
    void ofAnotherLengthAreRefused() {
        Forgetful environment = new Forgetful();
        environment.first = new boolean[] {true, true, true};
        assertThatThrownBy(() -> batch(environment).reset(1, 4, new float[1]))
                .isInstanceOf(EnvironmentException.class)
                .hasMessage(
                        "Forgetful: environment 4, episode 0, step 0: the action mask has 3 elements, but the action"
                                + " space has 5 choices");
    }

    @Test
    void thatAllowNothingAreRefused() {
        Forgetful environment = new Forgetful();
        environment.first = new boolean[] {true, true, true, false, false};
        assertThatThrownBy(() -> batch(environment).reset(1, 4, new float[1]))
                .isInstanceOf(EnvironmentException.class)
                .hasMessageContaining(
                        "environment 4, episode 0, step 0: the action mask allows none of the 2 choices of part 1");
    }

    @Test
    void thatWereNotAnnouncedAreRefused() {
        Forgetful environment = new Forgetful();
        environment.masks = false;
        VectorEnvironment batch = batch(environment);
        assertThat(batch.newActionMasks()).isEmpty();
        StepBatch result = StepBatch.allocate(1, 1);
        batch.reset(1, 0, result.observations());
        assertThatThrownBy(() -> batch.step(new int[] {0, 0}, new float[0], result))
                .isInstanceOf(EnvironmentException.class)
                .hasMessageContaining("step returned an action mask, but masksActions() of " + Forgetful.class.getName()
                        + " is false; let it return true");
    }

    @Test
    void needSomethingToChoose() {
        Forgetful environment = new Forgetful() {
            @Override
            public Space actionSpace() {
                return new Space.Box(1, 0, 1);
            }
        };
        assertThatThrownBy(() -> batch(environment))
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageStartingWith("Forgetful: masksActions() is true, but there is nothing to choose in");
    }
}
