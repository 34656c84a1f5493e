// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SchemaTest {
    private static Space.Dict dict(Object... namesAndSpaces) {
        Map<String, Space> parts = new LinkedHashMap<>();
        for (int i = 0; i < namesAndSpaces.length; i += 2) {
            parts.put((String) namesAndSpaces[i], (Space) namesAndSpaces[i + 1]);
        }
        return new Space.Dict(parts);
    }

    private static final Space NESTED = dict(
            "arm", dict("angle", new Space.Box(2, -1, 1), "grip", new Space.Discrete(3, 4)),
            "near", new Space.Tuple(new Space.Entities(4, 2), new Space.MultiBinary(3)),
            "seen", new Space.Image(1, 2, 3));

    @Test
    void namesEveryElement() {
        Schema schema = Schema.of(NESTED);
        assertThat(NESTED.size()).isEqualTo(2 + 3 + 9 + 3 + 6);
        assertThat(schema.leaves())
                .extracting(Schema.Leaf::path, Schema.Leaf::offset)
                .containsExactly(
                        tuple("arm.angle", 0),
                        tuple("arm.grip", 2),
                        tuple("near[0]", 5),
                        tuple("near[1]", 14),
                        tuple("seen", 17));
        assertThat(schema.element(0)).isEqualTo("arm.angle[0]");
        assertThat(schema.element(4)).isEqualTo("arm.grip[2]");
        assertThat(schema.element(13)).isEqualTo("near[0][8]");
        assertThat(schema.element(22)).isEqualTo("seen[5]");
        assertThat(Schema.of(new Space.Box(3, 0, 1)).element(2)).isEqualTo("[2]");
    }

    @Test
    void joinsChoicesAndNumbersOfActions() {
        Space choices =
                new Space.Tuple(new Space.Discrete(3, 4), new Space.MultiDiscrete(2, 6), new Space.MultiBinary(2));
        assertThat(Schema.of(choices).choices()).containsExactly(3, 2, 6, 2, 2);
        assertThat(Schema.of(choices).starts()).containsExactly(4, 0, 0, 0, 0);
        Space numbers = dict(
                "a", new Space.Box(2, 0, 1), "b", new Space.Box(new int[] {1, 1}, new float[] {-2}, new float[] {2}));
        assertThat(Schema.of(numbers).box()).contains(new Space.Box(new float[] {0, 0, -2}, new float[] {1, 1, 2}));
        assertThat(Schema.of(numbers).choices()).isEmpty();
    }

    @Test
    void refusesActionsThatNoPolicyGives() {
        assertThatThrownBy(() -> new EnvironmentSpec.Spaces(
                        NESTED, dict("do", new Space.Discrete(2), "how", new Space.Box(1, 0, 1))))
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("choices and numbers together");
        assertThatThrownBy(() -> new EnvironmentSpec.Spaces(NESTED, dict("draw", new Space.Image(1, 2, 2))))
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("the action space, at draw, is Image[");
    }

    @Test
    void flattensNamedParts() {
        Space.Dict dict = dict("a", new Space.Box(2, 0, 1), "b", new Space.Discrete(2));
        assertThat(dict.flatten(Map.of("b", new float[] {0, 1}, "a", new float[] {5, 6})))
                .containsExactly(5, 6, 0, 1);
        assertThatThrownBy(() -> dict.flatten(Map.of("a", new float[2])))
                .hasMessage("part 'b' has no numbers, expected 2");
        assertThatThrownBy(() -> dict.flatten(Map.of("a", new float[2], "b", new float[3])))
                .hasMessage("part 'b' has 3 numbers, expected 2");
        assertThatThrownBy(() -> dict.flatten(Map.of("a", new float[2], "b", new float[2], "c", new float[1])))
                .hasMessage("'c' is not a part of [a, b]");
        assertThat(dict).isNotEqualTo(dict("b", new Space.Discrete(2), "a", new Space.Box(2, 0, 1)));
    }

    @Test
    void refusesSpacesOfNothing() {
        for (Runnable nothing : List.<Runnable>of(
                () -> new Space.MultiDiscrete(),
                () -> new Space.MultiDiscrete(2, 0),
                () -> new Space.MultiBinary(0),
                () -> new Space.Tuple(),
                () -> new Space.Dict(Map.of()),
                () -> new Space.Entities(0, 3),
                () -> new Space.Image(1, 0, 4),
                () -> new Space.Box(new int[] {2, 2}, new float[3], new float[3]))) {
            assertThatThrownBy(nothing::run).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
