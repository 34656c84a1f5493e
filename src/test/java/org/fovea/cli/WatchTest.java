// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An episode in the terminal, and as a picture of what was attended to. */
@Tag("integration")
class WatchTest {
    @TempDir
    private static Path directory;

    private static Path run;

    @BeforeAll
    static void train() {
        run = directory.resolve("run");
        assertThat(Cli.run(TrainTest.small(
                                run, "--env", "ProofOfMemory-v0", "--policy", "attention", "--final-episodes", "1"))
                        .exitCode())
                .isZero();
    }

    private static JsonNode weights(String... more) throws IOException {
        List<String> args = new ArrayList<>(List.of("attention-map", run.toString(), "--json", "--backend", "cpu"));
        args.addAll(List.of(more));
        Cli cli = Cli.run(args.toArray(String[]::new));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        return cli.lastLineAsJson();
    }

    @Test
    void weightsAreProbabilitiesOfTheStepsSoFar() throws IOException {
        JsonNode json = weights("--episode", "7");

        assertThat(json.get("episode").asLong()).isEqualTo(7);
        assertThat(json.get("layers")).hasSize(2);
        for (JsonNode layer : json.get("layers")) {
            assertThat(layer.get("heads").asInt()).isEqualTo(4);
            assertThat(layer.get("weights")).hasSize(json.get("steps").asInt());
            for (int step = 0; step < layer.get("weights").size(); step++) {
                for (JsonNode row : layer.get("weights").get(step)) {
                    assertThat(row).hasSize(step + 1);
                    double sum = 0;
                    for (JsonNode weight : row) {
                        sum += weight.asDouble();
                    }
                    assertThat(sum).isEqualTo(1, within(1e-4));
                }
            }
        }
    }

    /** Of the map of one head the darkest cell is where the largest of the printed weights is. */
    @Test
    void theDarkestCellIsTheLargestWeight() throws IOException {
        Path svg = directory.resolve("map.svg");
        Path png = directory.resolve("map.png");
        JsonNode matrix = weights("--layer", "1", "--head", "2", "-o", svg.toString())
                .get("layers")
                .get(0)
                .get("weights");
        weights("--layer", "1", "--head", "2", "-o", png.toString());

        List<double[]> cells = new ArrayList<>();
        Matcher matcher = Pattern.compile("class=\"cell\" x=\"([0-9.]+)\" y=\"([0-9.]+)\".* fill-opacity=\"([0-9.]+)\"")
                .matcher(Files.readString(svg));
        while (matcher.find()) {
            cells.add(new double[] {
                Double.parseDouble(matcher.group(1)),
                Double.parseDouble(matcher.group(2)),
                Double.parseDouble(matcher.group(3))
            });
        }
        int steps = matrix.size();
        assertThat(cells).hasSize(steps * (steps + 1) / 2);
        double largest = 0;
        for (JsonNode row : matrix) {
            for (JsonNode weight : row.get(0)) {
                largest = Math.max(largest, weight.asDouble());
            }
        }
        int cell = 0;
        BufferedImage image = ImageIO.read(png.toFile());
        for (JsonNode row : matrix) {
            for (JsonNode weight : row.get(0)) {
                assertThat(cells.get(cell)[2]).isEqualTo(weight.asDouble() / largest, within(1e-3));
                int red = image.getRGB((int) (2 * cells.get(cell)[0]) + 6, (int) (2 * cells.get(cell)[1]) + 6) >> 16;
                assertThat((double) (red & 0xff)).isEqualTo(255 * (1 - weight.asDouble() / largest), within(3.0));
                cell++;
            }
        }
    }

    @Test
    void everyStepIsPrintedWhereThereIsNoTerminal() {
        Cli cli = Cli.run(Cli.words("watch %s --episode 7 --backend cpu", run));

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.out())
                .contains("ProofOfMemory-v0, episode 7, step 0 of ")
                .contains("layer 0 over steps, mean of heads")
                .containsPattern("action [01] \\(probability [01]\\.\\d\\d\\)   value ")
                .containsPattern("after \\d+ steps, return ")
                .doesNotContain("\033");
        long frames =
                cli.out().lines().filter(line -> line.startsWith("action ")).count();
        assertThat(cli.out()).contains("after " + frames + " steps");
        // In its first step there is but one to attend to.
        assertThat(cli.out()).contains("layer 0 over steps, mean of heads   step 0 1.00\n  █\n");
    }

    @Test
    void oneLayerAndHeadAreShown() {
        Cli cli = Cli.run(Cli.words("watch %s --layer 1 --head 3 --backend cpu", run));

        assertThat(cli.out()).contains("layer 1 over steps, head 3").doesNotContain("layer 0");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "watch RUN --layer 2 | --layer must be one of [0, 1], got 2",
                "watch RUN --head 4 | --head must be from 0 to 3, got 4",
                "watch RUN --delay -1 | --delay must be from 0 to 3600 seconds",
                "watch no/such/run | there is no run directory no/such/run",
                "attention-map RUN | say where the picture goes",
                "attention-map RUN -o map.gif | a picture's name ends in .png or .svg",
                "attention-map RUN --layer 5 -o map.svg | --layer must be one of [0, 1], got 5"
            })
    void mistakesAreAnsweredInOneLine(String command, String message) {
        Cli cli = Cli.run((command.replace("RUN", run.toString()) + " --backend cpu").split(" "));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains(message).startsWith("fovea").hasLineCount(1);
    }

    @Test
    void aPolicyWithoutAttentionHasNone() {
        Path mlp = directory.resolve("mlp");
        assertThat(Cli.run(TrainTest.small(mlp, "--final-episodes", "1")).exitCode())
                .isZero();

        Cli map = Cli.run(Cli.words("attention-map %s -o map.svg --backend cpu", mlp));
        Cli watched = Cli.run(Cli.words("watch %s --max-episode-steps 3 --backend cpu", mlp));

        assertThat(map.exitCode()).isEqualTo(2);
        assertThat(map.err()).contains("has no attention").hasLineCount(1);
        assertThat(watched.exitCode()).as(watched.err()).isZero();
        assertThat(watched.out()).contains("step 2 of 2").contains("cut by --max-episode-steps");
    }

    @Test
    void keysAreThoseOfTerminals() throws IOException {
        ByteArrayInputStream in =
                new ByteArrayInputStream(" n\033[C\033OD\033[H\033[F+x\033[Aq".getBytes(StandardCharsets.US_ASCII));
        List<Keys.Key> keys = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            keys.add(Keys.read(in));
        }

        assertThat(keys)
                .containsExactly(
                        Keys.Key.PLAY,
                        Keys.Key.NEXT,
                        Keys.Key.NEXT,
                        Keys.Key.PREVIOUS,
                        Keys.Key.FIRST,
                        Keys.Key.LAST,
                        Keys.Key.FASTER,
                        Keys.Key.NONE,
                        Keys.Key.NONE,
                        Keys.Key.QUIT);
    }
}
