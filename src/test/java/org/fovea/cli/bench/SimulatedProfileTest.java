// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.fovea.cli.bench.LaunchCounts.Resource;
import org.fovea.env.UnknownNameException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bounds that follow from counts, worked out by hand. */
class SimulatedProfileTest {
    @TempDir
    private Path directory;

    private static String line(String kernel, int blocks, String members) {
        return "{\"kernel\":\"" + kernel + "\",\"grid\":[" + blocks + ",1,1],\"block\":[128,1,1],\"instructions\":{},"
                + "\"multiply_adds\":{},\"shared\":{},\"global\":{}" + members + "}";
    }

    private static Map<Resource, Double> seconds(Card card, int blocks, String members) throws IOException {
        // Of equal names the last counts.
        return new ObjectMapper()
                .readValue(line("k", blocks, members), LaunchCounts.class)
                .seconds(card);
    }

    @Test
    void eachResourceIsBusyForItsWorkAtItsRate() throws IOException {
        Map<Resource, Double> seconds = seconds(
                Card.A100,
                108,
                ",\"issue_slots\":43200,\"instructions\":{\"fma\":216,\"fma.f64\":108,\"alu\":216,\"mufu\":54,\"ld.shared\":108},"
                        + "\"multiply_adds\":{\"bf16\":110592},\"shared\":{\"load\":{\"requests\":108,\"wavefronts\":432,\"least\":108}},"
                        + "\"global\":{\"store\":{\"requests\":1,\"sectors\":432,\"least\":4}},\"read_bytes\":2039,\"written_bytes\":2039");
        // In clocks of the 108 multiprocessors: 43,200 / 4 / 108 = 100, and so on.
        double clock = 1 / 1.41e9;
        assertThat(seconds.get(Resource.ISSUE)).isCloseTo(100 * clock, within(1e-15));
        assertThat(seconds.get(Resource.FLOAT)).isCloseTo(clock, within(1e-15));
        assertThat(seconds.get(Resource.DOUBLE)).isCloseTo(clock, within(1e-15));
        assertThat(seconds.get(Resource.INTEGER)).isCloseTo(clock, within(1e-15));
        assertThat(seconds.get(Resource.SPECIAL)).isCloseTo(clock, within(1e-15));
        assertThat(seconds.get(Resource.LOAD_STORE)).isCloseTo(clock, within(1e-15));
        assertThat(seconds.get(Resource.TENSOR)).isCloseTo(clock, within(1e-15));
        assertThat(seconds.get(Resource.SHARED)).isCloseTo(5 * clock, within(1e-15));
        assertThat(seconds.get(Resource.L2)).isCloseTo(2 * clock, within(1e-15));
        assertThat(seconds.get(Resource.HBM)).isCloseTo(2e-9, within(1e-15));
    }

    /** In TFLOPS without sparsity, as NVIDIA's white papers and data sheets print them. */
    @ParameterizedTest
    @CsvSource({
        "A100, 312, 312, 156, 19.5, 9.7",
        "H100, 989.4, 989.4, 494.7, 66.9, 33.5",
        "H200, 989.4, 989.4, 494.7, 66.9, 33.5",
        "RTX4090, 165.2, 330.3, 82.6, 82.6, 1.29"
    })
    void ratesAndClocksGiveThePublishedFigures(
            Card card, double f16, double f16ByHalves, double tf32, double f32, double f64) {
        double tensor = 2 * card.multiprocessors * card.tensorClock / 1e12;
        double plain = 2 * card.multiprocessors * card.clock / 1e12;
        assertThat(tensor * card.tensorRate("wgmma.f16.f32")).isCloseTo(f16, withinPercentage(0.5));
        assertThat(tensor * card.tensorRate("wgmma.bf16")).isCloseTo(f16, withinPercentage(0.5));
        assertThat(tensor * card.tensorRate("wgmma.f16.f16")).isCloseTo(f16ByHalves, withinPercentage(0.5));
        assertThat(tensor * card.tensorRate("wgmma.tf32")).isCloseTo(tf32, withinPercentage(0.5));
        assertThat(plain * card.floatLanes).isCloseTo(f32, withinPercentage(0.5));
        assertThat(plain * card.doubleLanes).isCloseTo(f64, withinPercentage(0.5));
    }

    @Test
    void theLastBlocksKeepFewMultiprocessorsBusy() throws IOException {
        String work = ",\"issue_slots\":108000";
        double whole = seconds(Card.A100, 108, work).get(Resource.ISSUE);
        assertThat(seconds(Card.A100, 1, work).get(Resource.ISSUE)).isCloseTo(108 * whole, within(1e-12));
        assertThat(seconds(Card.A100, 109, work).get(Resource.ISSUE)).isCloseTo(2 * 108 / 109.0 * whole, within(1e-12));
    }

    @Test
    void onHopperOnlyAsynchronousProductsReachTheWholeRate() {
        assertThat(Card.H100.tensorRate("wgmma.bf16")).isEqualTo(2048);
        assertThat(Card.H100.tensorRate("bf16")).isCloseTo(0.63 * 2048, within(1e-9));
        assertThat(Card.RTX4090.tensorRate("f16.f32")).isEqualTo(256);
        assertThat(Card.RTX4090.tensorRate("f16.f16")).isEqualTo(512);
    }

    @Test
    void theTableHasARowPerKernelTheLongestFirst() throws IOException {
        Path file = directory.resolve("profile.jsonl");
        String shared = ",\"shared\":{\"load\":{\"requests\":1,\"wavefronts\":1000000,\"least\":250000}}";
        Files.write(
                file,
                List.of(
                        line("short_one", 1, ",\"issue_slots\":400,\"instructions\":{\"fma\":75,\"ld.shared\":25}"),
                        line("long_one", 132, shared),
                        line("long_one", 132, shared)));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        SimulatedProfile.read(file, Card.H100).print(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        String[] lines = bytes.toString(StandardCharsets.UTF_8).split("\n");
        assertThat(lines[0]).startsWith("A prediction, not a measurement");
        // 1,000,000 wavefronts of 132 multiprocessors at 1.98 GHz, twice: 7.65 us.
        assertThat(lines[2]).startsWith("long_one").contains(" 2 ", " 4.00 ", "7.65 us", "shared");
        assertThat(lines[3]).startsWith("short_one").contains(" 75 ", "0.05 us", "issue");
        assertThat(lines[4]).isEqualTo("3 launches, 7.70 us");
    }

    @Test
    void anUnknownCardIsNamed() {
        assertThat(Card.of("rtx4090")).isEqualTo(Card.RTX4090);
        assertThatThrownBy(() -> Card.of("b200")).isInstanceOf(UnknownNameException.class);
    }
}
