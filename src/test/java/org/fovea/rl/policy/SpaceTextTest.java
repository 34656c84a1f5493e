// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.fovea.env.Space;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Spaces as text and back. */
final class SpaceTextTest {
    static Stream<Space> spaces() {
        Map<String, Space> parts = new LinkedHashMap<>();
        parts.put("z \"quoted\" \\ \u0001 é", new Space.MultiBinary(3));
        parts.put("a", new Space.Tuple(new Space.Discrete(4, -2), new Space.Image(3, 8, 9)));
        parts.put("set", new Space.Entities(5, 2));
        return Stream.of(
                new Space.Discrete(3),
                new Space.MultiDiscrete(2, 7, 1),
                new Space.Dict(parts),
                new Space.Tuple(new Space.EntityChoice("set", 5), new Space.Discrete(2)),
                new Space.Box(4, Float.NEGATIVE_INFINITY, 1e-7f),
                new Space.Box(new int[] {2, 2}, new float[] {0, -1, -3.4e38f, 0.1f}, new float[] {
                    1, Float.POSITIVE_INFINITY, 1, 0.3f
                }));
    }

    @ParameterizedTest
    @MethodSource("spaces")
    void isReadAsItWasWritten(Space space) throws IOException {
        assertThat(SpaceText.read(SpaceText.write(space))).isEqualTo(space);
    }
}
