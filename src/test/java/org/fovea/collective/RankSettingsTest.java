// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The environment's convention. */
final class RankSettingsTest {

    @Test
    void nothingSaysThatItIsAlone() {
        assertThat(RankSettings.of(Map.of("MASTER_ADDR", "node0", "LOCAL_RANK", "3")))
                .isEmpty();
    }

    @Test
    void allThatIsSaidIsTaken() {
        RankSettings settings = new RankSettings(5, 8, 1, "node0", 4711, "secret", "nccl");
        assertThat(RankSettings.of(settings.asEnvironment())).contains(settings);
        assertThat(settings.toString()).doesNotContain("secret");
    }

    @Test
    void theRestIsOfThisMachine() {
        assertThat(RankSettings.of(Map.of("RANK", "1", "WORLD_SIZE", "2")))
                .contains(new RankSettings(1, 2, 1, "127.0.0.1", 29500, "", "auto"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1 | | 29500 | WORLD_SIZE is not set in the environment, but RANK is",
                "2 | 2 | 29500 | RANK must be from 0 to WORLD_SIZE - 1 = 1, got 2",
                "one | 2 | 29500 | RANK must be a whole number, got 'one'",
                "0 | 0 | 29500 | WORLD_SIZE must be at least 1, got 0",
                "0 | 2 | 70000 | MASTER_PORT must be from 1 to 65535, got 70000"
            })
    void whatIsWrongIsNamed(String rank, String size, String port, String message) {
        Map<String, String> environment =
                size == null ? Map.of("RANK", rank) : Map.of("RANK", rank, "WORLD_SIZE", size, "MASTER_PORT", port);
        assertThatThrownBy(() -> RankSettings.of(environment))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
