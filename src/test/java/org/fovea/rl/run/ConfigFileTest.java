// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFileTest {
    @TempDir
    private Path directory;

    private ConfigFile read(String text) throws IOException {
        return ConfigFile.read(Files.writeString(directory.resolve("run.yaml"), text));
    }

    /** As people write YAML: comments, quotes, flow style, and scalars that YAML 1.1 takes for numbers and truth values. */
    @Test
    void valuesAreTheTextsThatAreThere() throws IOException {
        ConfigFile config = read("""
                # a comment
                env: "MemoryChain-v0:length=7"   # and another
                'seed': 007
                env-arg: [a=1, 'b=on']
                env-wrapper:
                  - m:One
                  - m:Two
                set: {learning_rate: 1e-3, cublas: off,
                      clip: .2}
                """);

        assertThat(config.entries().get(0).values()).containsExactly("MemoryChain-v0:length=7");
        assertThat(config.entries().get(1)).isEqualTo(new ConfigFile.Entry("seed", 3, List.of("007"), Map.of()));
        assertThat(config.entries().get(2).values()).containsExactly("a=1", "b=on");
        assertThat(config.entries().get(3).values()).containsExactly("m:One", "m:Two");
        assertThat(config.entries().get(4).members())
                .containsExactlyInAnyOrderEntriesOf(Map.of("learning_rate", "1e-3", "cublas", "off", "clip", ".2"));
        assertThat(read("").entries()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "seed: 1;seed: 2 | line 2: 'seed' is given twice, in line 1 too",
                "set: {clip: 1, clip: 2} | line 1: 'clip' is given twice, in line 1 too",
                "- env | line 1: expected settings",
                "env CartPole | line 1: expected settings",
                "seed: 1;env: | line 2: env has no value",
                "set:;  clip: [1] | line 2: set.clip must be one value",
                "env: {a: {b: c}} | line 1: env.a must be one value",
                "env: 'a | line 1: not YAML",
                "a: b: c | line 1: not YAML"
            })
    void whatIsNotSettingsIsNamedByItsLine(String text, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> read(text.replace(';', '\n')))
                .withMessageContaining(directory.resolve("run.yaml").toString())
                .withMessageContaining(message);
    }

    @Test
    void whatARunWritesIsReadAsItsSpec() throws IOException {
        RunSpec spec = Defaults.of("MemoryChain-v0:length=7,bits=2+frame_stack=2", Algorithm.TRPO, PolicyKind.GRU)
                .withSeed(-3)
                .with(Map.of("gamma", "0.123456789"));

        ConfigFile config = read(ConfigFile.text(spec, TrainingOptions.DEFAULT, List.of(), "cpu: \"8\" lanes", null));

        assertThat(config.entries())
                .extracting(ConfigFile.Entry::key)
                .containsExactly("env", "algo", "policy", "steps", "envs", "seed", "set");
        assertThat(config.entries().get(0).values()).containsExactly(spec.environment());
        assertThat(config.entries().get(5).values()).containsExactly("-3");
        assertThat(spec.config().with(config.entries().get(6).members())).isEqualTo(spec.config());
        assertThat(config.entries().get(6).members()).isEqualTo(spec.config().asMap());
    }
}
