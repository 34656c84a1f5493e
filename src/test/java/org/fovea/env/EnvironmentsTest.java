// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EnvironmentsTest {

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, 475",
        "ProofOfMemory-v0, 1.15",
        "MemoryChain-v0, 0.95",
        "MemoryChain-v0:length=9, 0.95",
        "popgym-RepeatPreviousEasy-v0, 0.9"
    })
    void namesAreFoundWithTheScoreThatCountsAsSolved(String name, double solvedAt) {
        EnvironmentSpec spec = Environments.get(name);
        assertThat(spec.name()).isEqualTo(name);
        assertThat(spec.solvedAt()).hasValue(solvedAt);
        assertThat(spec.create(3).count()).isEqualTo(3);
    }

    @Test
    void anUnknownNameBringsTheNearest() {
        assertThatThrownBy(() -> Environments.get("cartpoel-v1"))
                .isInstanceOf(UnknownNameException.class)
                .hasMessageMatching("unknown environment 'cartpoel-v1'; nearest: CartPole-v1, .*");
        assertThatThrownBy(() -> Environments.get("MemoryChain-v0:lenght=3"))
                .isInstanceOf(UnknownNameException.class)
                .hasMessageContaining("unknown parameter of MemoryChain-v0 'lenght'; nearest: length");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "MemoryChain-v0:length=0",
                "MemoryChain-v0:length=five",
                "MemoryChain-v0:length",
                "MemoryChain-v0:",
                "MemoryChain-v0:bits=31",
                "MemoryChain-v0:length=3,length=4",
                "CartPole-v1:length=3"
            })
    void aWrongParameterIsNamed(String name) {
        assertThatThrownBy(() -> Environments.get(name))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(name.substring(0, name.indexOf(':')));
    }

    @Test
    void aRegisteredEnvironmentIsFoundOnce() {
        Environments.register("Twin-v0", "one of two", () -> Environments.make("CartPole-v1"));
        assertThat(Environments.all()).extracting(EnvironmentSpec::name).contains("CartPole-v1", "Twin-v0");
        assertThat(Environments.get("Twin-v0").create(2).actionSpace()).isEqualTo(new Space.Discrete(2));
        assertThatThrownBy(() -> Environments.register("Twin-v0", "the other", () -> Environments.make("CartPole-v1")))
                .hasMessageContaining("already registered");
        assertThatThrownBy(() -> Environments.register("a:b", "", () -> Environments.make("CartPole-v1")))
                .hasMessageContaining("'a:b' cannot name an environment");
    }

    @Test
    void environmentsOfProvidersAreFound() {
        assertThat(Environments.get("Provided-v0").summary()).isEqualTo("from another jar");
    }

    /** Named in this test tree's META-INF/services. */
    public static final class Provider implements EnvironmentProvider {
        @Override
        public List<EnvironmentSpec> environments() {
            return List.of(
                    EnvironmentSpec.of("Provided-v0", "from another jar", () -> Environments.make("CartPole-v1")));
        }
    }

    @Test
    void oneInstanceIsSteppedByHandAndGoesOnAfterRestoring() throws IOException {
        Environment environment = Environments.make("ProofOfMemory-v0");
        assertThatThrownBy(() -> environment.step(Action.of(0))).hasMessageContaining("call reset first");
        float[] first = environment.reset(3);
        assertThat(environment.reset(3)).containsExactly(first);
        environment.step(Action.of(0));
        ByteArrayOutputStream saved = new ByteArrayOutputStream();
        ((SavesState) environment).saveState(new DataOutputStream(saved));
        Environment other = Environments.make("ProofOfMemory-v0");
        ((SavesState) other).restoreState(new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
        Step last;
        do {
            last = environment.step(Action.of(1));
            Step same = other.step(Action.of(1));
            assertThat(same.observation()).containsExactly(last.observation());
            assertThat(same.reward()).isEqualTo(last.reward());
        } while (!last.terminated());
        assertThat(last.observation()).containsExactly(0, 1, 0);
        assertThatThrownBy(() -> environment.step(Action.of(0))).hasMessageContaining("call reset first");
    }

    @Test
    void nearestNamesIgnoreCaseAndCountSwapsOnce() {
        List<String> valid = List.of("gamma", "gae_lambda", "learning_rate", "clip");
        assertThat(NearestNames.of("GAMMA", valid)).first().isEqualTo("gamma");
        assertThat(NearestNames.of("clpi", valid)).first().isEqualTo("clip");
        assertThat(NearestNames.of("learningrate", valid)).first().isEqualTo("learning_rate");
        assertThat(NearestNames.of("x", List.of())).isEmpty();
    }
}
