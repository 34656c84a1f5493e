// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ArgumentsTest {

    @Test
    void whatIsNotOfSparkIsForFovea() {
        Arguments parsed =
                Arguments.parse("--env", "CartPole-v1", "--ranks", "4", "--out", "runs/a", "--seed", "3", "--resume");
        assertThat(parsed)
                .isEqualTo(
                        new Arguments(false, 4, "runs/a", true, false, List.of("--env", "CartPole-v1", "--seed", "3")));
        assertThat(Arguments.parse("--sweep", "--out", "o", "--grid", "lr=1,2"))
                .isEqualTo(new Arguments(true, 0, "o", false, false, List.of("--grid", "lr=1,2")));
    }

    @ParameterizedTest
    @CsvSource({
        "--ranks 2, --out is missing",
        "--out o, --ranks is missing",
        "--out o --ranks, --ranks needs a value",
        "--out o --ranks 0, '--ranks must be a whole number of at least 1, got ''0'''",
        "--out o --ranks two, '--ranks must be a whole number of at least 1, got ''two'''",
        "--out o --ranks 2 --sweep, --sweep goes on by itself",
        "--out o --ranks 2 --resume --overwrite, --resume and --overwrite exclude each other"
    })
    void mistakesAreNamed(String line, String message) {
        assertThatThrownBy(() -> Arguments.parse(line.split(" ")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(message);
    }
}
