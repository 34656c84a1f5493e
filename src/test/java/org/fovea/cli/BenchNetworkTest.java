// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("integration")
class BenchNetworkTest {

    @Test
    void networksAreReckonedWithForEachPolicy() throws JsonProcessingException {
        Cli cli = Cli.run(Cli.words("bench network --backend cpu --minibatch-ms 3,36,740 --json"));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        JsonNode json = cli.lastLineAsJson();
        assertThat(json.get("latency_us").asDouble()).isPositive();
        assertThat(json.get("gigabytes_per_second").asDouble()).isPositive();
        assertThat(json.get("measured")).hasSize(8);
        assertThat(json.get("policies")).hasSize(3);
        JsonNode medium = json.get("policies").get(1);
        assertThat(medium.get("parameters").asInt()).isEqualTo(100_803);
        assertThat(Math.round(medium.get("minibatch_ms").asDouble() * 1e6)).isEqualTo(36_000_000);
        assertThat(medium.get("networks")).hasSize(4);
        double slow = medium.get("networks").get(0).get("ms_2").asDouble();
        // 403,212 bytes at 117.7 MB/s, besides what this machine takes.
        assertThat(slow).isGreaterThan(3.42);
        assertThat(medium.get("networks").get(2).get("ms_2").asDouble()).isLessThan(slow);
        assertThat(cli.out()).contains("NVLink, NCCL");
    }

    @Test
    void aTimeForEachPolicyOrNone() {
        Cli cli = Cli.run(Cli.words("bench network --backend cpu --minibatch-ms 3,36"));
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains("--minibatch-ms takes one number above 0 for each of 3 policies, got [3.0, 36.0]");
    }
}
