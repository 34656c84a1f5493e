// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.junit.jupiter.api.Test;

class AttentionBenchTest {
    @Test
    void aLineIsAnsweredWithARound() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (Backend backend = Backends.open("cpu", 1).backend()) {
            AttentionBench.rounds(
                    new BufferedReader(new StringReader("\n\n")),
                    new PrintStream(out, true, StandardCharsets.UTF_8),
                    backend,
                    1,
                    2,
                    5,
                    3);
        }

        List<String> rounds = out.toString(StandardCharsets.UTF_8).lines().toList();
        assertThat(rounds).hasSize(2);
        for (String round : rounds) {
            JsonNode times = new ObjectMapper().readTree(round);
            assertThat(times.fieldNames()).toIterable().containsExactly("forward", "backward", "double backward");
            assertThat(times).allSatisfy(time -> assertThat(time.asDouble()).isNotNegative());
        }
    }
}
