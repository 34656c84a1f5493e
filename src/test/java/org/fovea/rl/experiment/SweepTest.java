// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.RunSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepTest {
    private static final RunSpec BASE = Defaults.of("CartPole-v1", Algorithm.PPO, PolicyKind.MLP);

    @Test
    void aGridHasEveryCombination() {
        Sweep sweep = Sweep.grid(List.of("lr=1e-4,3e-4", "steps=1000, 2000"), BASE);
        assertThat(sweep.variants())
                .containsExactly(
                        Map.of("learning_rate", "1e-4", "steps", "1000"),
                        Map.of("learning_rate", "1e-4", "steps", "2000"),
                        Map.of("learning_rate", "3e-4", "steps", "1000"),
                        Map.of("learning_rate", "3e-4", "steps", "2000"));
        List<Cell> cells = sweep.cells(BASE.withSeed(5), 2, spec -> spec);
        assertThat(cells)
                .extracting(Cell::name)
                .startsWith("v1-seed5", "v1-seed6", "v2-seed5")
                .hasSize(8);
        RunSpec last = cells.get(7).spec();
        assertThat(last.steps()).isEqualTo(2000);
        assertThat(last.config().asMap()).containsEntry("learning_rate", "3.0E-4");
    }

    /** Half of the draws from 1e-5 to 1e-1 on a logarithmic scale are below 1e-3; on a linear one 1 % would be. */
    @Test
    void drawsComeFromTheirRanges() {
        Sweep sweep = Sweep.random(
                List.of("lr=log:1e-5..1e-1", "gamma=0.9..1", "epochs=1..4", "clip_schedule=linear,cosine"),
                400,
                1,
                BASE);
        assertThat(sweep.variants()).hasSize(400).allSatisfy(variant -> {
            assertThat(Double.parseDouble(variant.get("learning_rate"))).isBetween(1e-5, 1e-1);
            assertThat(Double.parseDouble(variant.get("gamma"))).isBetween(0.9, 1.0);
            assertThat(variant.get("epochs")).isIn("1", "2", "3", "4");
            assertThat(variant.get("clip_schedule")).isIn("linear", "cosine");
        });
        long small = sweep.variants().stream()
                .filter(variant -> Double.parseDouble(variant.get("learning_rate")) < 1e-3)
                .count();
        assertThat(small).isBetween(160L, 240L);
    }

    @Test
    void theSameSeedDrawsTheSame() {
        List<String> axes = List.of("lr=log:1e-5..1e-2");
        assertThat(Sweep.random(axes, 5, 3, BASE)).isEqualTo(Sweep.random(axes, 5, 3, BASE));
        assertThat(Sweep.random(axes, 5, 3, BASE)).isNotEqualTo(Sweep.random(axes, 5, 4, BASE));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "learnin_rate=1 | unknown hyper-parameter 'learnin_rate'",
                "lr=1e-4,fast | learning_rate must be a number, got 'fast'",
                "lr=1e-4, | learning_rate must be a number",
                "epochs=0,4 | epochs must be at least 1, got 0",
                "steps=many | steps must be a whole number",
                "envs=99999999999 | envs must be a whole number of at most 2147483647, got '99999999999'",
                "envs=-5000000000 | envs must be a whole number",
                "envs=0 | envs must be at least 1, got 0",
                "lr | 'lr' is not name=value",
                "lr= | 'lr=' is not name=value",
                "lr=1e-4..1e-2 | learning_rate has a range, from which values are drawn: say how many by --random",
                "lr=1..x | '1..x' is no range",
                "lr=log:0..1 | no range for learning_rate",
                "gamma=0.5..1.5 | gamma must be from 0 to 1, got 1.5"
            })
    void whatCannotBeVariedIsRefused(String axis, String message) {
        assertThatThrownBy(() -> Sweep.grid(List.of(axis), BASE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void nothingToVaryIsRefused() {
        assertThatThrownBy(() -> Sweep.grid(List.of(), BASE)).hasMessageContaining("nothing is varied");
        assertThatThrownBy(() -> Sweep.grid(List.of("lr=1", "learning_rate=2"), BASE))
                .hasMessageContaining("learning_rate is given twice");
    }

    @Test
    void theSameNumberWrittenOtherwiseIsTrainedOnce() {
        assertThat(Sweep.grid(List.of("lr=1e-3,0.001,2e-3"), BASE).variants())
                .containsExactly(Map.of("learning_rate", "1e-3"), Map.of("learning_rate", "2e-3"));
    }

    @Test
    void moreCombinationsThanAnyoneTrainsAreRefused() {
        String hundred =
                IntStream.rangeClosed(1, 100).mapToObj(Integer::toString).collect(Collectors.joining(","));
        List<String> axes = List.of("epochs=" + hundred, "steps=" + hundred, "envs=" + hundred);
        assertThatThrownBy(() -> Sweep.grid(axes, BASE)).hasMessageContaining("more than 10000 combinations");
        assertThatThrownBy(() -> Sweep.random(List.of("epochs=1,2"), Integer.MAX_VALUE, 1, BASE))
                .hasMessageContaining("must be from 1 to 10000");
    }
}
