// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The benchmark of policies: that it runs, and what it says. */
@Tag("integration")
class BenchPolicyTest {
    @ParameterizedTest
    @ValueSource(strings = {"mlp", "gru", "attention"})
    void aDecisionIsTimed(String kind) throws IOException {
        Cli cli = Cli.run(Cli.words("bench policy %s --decisions 300 --json", kind));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.out()).startsWith(kind + " policy, ").contains(" us per decision, 99th percentile ");
        JsonNode json = cli.lastLineAsJson();
        assertThat(json.get("microseconds_median").asDouble())
                .isPositive()
                .isLessThanOrEqualTo(json.get("microseconds_p99").asDouble());
    }

    @Test
    void whatIsNoPolicyIsNamed() {
        Cli cli = Cli.run("bench", "policy", "transformer");
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains("unknown policy 'transformer'");
        assertThat(Cli.run("bench", "policy", "mlp", "--batch", "0").exitCode()).isEqualTo(2);
    }
}
