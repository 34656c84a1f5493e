// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What fovea runs, show, compare and plot tell of three small runs. */
@Tag("integration")
class RunListTest {
    @TempDir
    private static Path directory;

    @BeforeAll
    static void train() throws IOException {
        for (String[] run : new String[][] {{"one", "1", "8"}, {"two", "2", "8"}, {"wide", "1", "16"}}) {
            Cli cli = Cli.run(TrainTest.small(
                    directory.resolve(run[0]), "--seed", run[1], "--set", "width=" + run[2], "--final-episodes", "4"));
            assertThat(cli.exitCode()).as(cli.err()).isZero();
        }
        // Two hours old, whatever is written of it.
        for (String file : List.of("", "progress.csv", "result.json")) {
            Files.setLastModifiedTime(
                    directory.resolve("one").resolve(file),
                    FileTime.from(Instant.now().minusSeconds(7205)));
        }
    }

    private static List<String> names(String... options) throws IOException {
        List<String> args = new ArrayList<>(List.of("runs", directory.toString(), "--json"));
        args.addAll(List.of(options));
        Cli cli = Cli.run(args.toArray(String[]::new));
        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.out()).hasLineCount(1);
        List<String> names = new ArrayList<>();
        for (JsonNode run : cli.lastLineAsJson().get("runs")) {
            names.add(Path.of(run.get("run").asText()).getFileName().toString());
        }
        return names;
    }

    @Test
    void runsAreSortedAndFiltered() throws IOException {
        assertThat(names()).endsWith("one").hasSize(3);
        assertThat(names("--sort", "name")).containsExactly("one", "two", "wide");
        assertThat(names("--sort", "NAME", "--reverse")).containsExactly("wide", "two", "one");
        assertThat(names("--filter", "seed=1", "--sort", "name")).containsExactly("one", "wide");
        assertThat(names("--filter", "width>8.5")).containsExactly("wide");
        assertThat(names("--filter", "learning_rate=1e-3")).hasSize(3);
        assertThat(names("--filter", "tw")).containsExactly("two");
        assertThat(names("--filter", "seed=1", "--filter", "width=8")).containsExactly("one");
        assertThat(names("--filter", "state=failed")).isEmpty();
        List<String> byScore = names("--sort", "score");
        assertThat(byScore).containsExactlyInAnyOrder("one", "two", "wide");
        assertThat(score(byScore.get(0))).isGreaterThanOrEqualTo(score(byScore.get(2)));
    }

    private static double score(String run) throws IOException {
        return Cli.run("show", directory.resolve(run).toString(), "--json")
                .lastLineAsJson()
                .get("outcome")
                .get("return_mean")
                .asDouble();
    }

    @Test
    void theTableHasScoreStepsStateAndAge() {
        Cli cli = Cli.run("runs", directory.toString());

        assertThat(cli.out().lines().toList().get(0))
                .containsSubsequence("run", "environment", "policy", "seed", "state", "steps", "return", "of", "age");
        assertThat(cli.out()).containsPattern("one +CartPole-v1 +ppo mlp +1 +done +512 +\\d+\\.\\d\\d +final +2h00m");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "runs no/such/directory | there is no directory no/such/directory",
                "show no/such/run | there is no run directory no/such/run; fovea runs lists",
                "compare no/such/run other | there is no run directory no/such/run",
                "compare one | requires at least 2 values",
                "plot no/such/run -o x.png | there is no run directory no/such/run",
                "plot no/such/run -o x.gif | a picture's name ends in .png or .svg, unlike x.gif",
                "plot no/such/run -o x.svg --x iterations | --x must be steps or time, got iterations",
                "plot no/such/run | missing required option: '-o=FILE'",
                "completion fish | expected one of [bash, zsh]"
            })
    void mistakesAreAnsweredInOneLine(String command, String message) {
        Cli cli = Cli.run(command.split(" "));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).containsIgnoringCase(message).startsWith("fovea").hasLineCount(1);
        assertThat(cli.out()).isEmpty();
    }

    @Test
    void unknownKeysAreNamedWithTheNearest() {
        Cli filter = Cli.run("runs", directory.toString(), "--filter", "widht=3");
        Cli column = Cli.run(
                "plot", directory.toString(), "-o", directory.resolve("x.png").toString(), "--column", "entropi");

        assertThat(filter.err())
                .contains("unknown setting of runs 'widht'; nearest: width")
                .hasLineCount(1);
        assertThat(column.err()).contains("'entropi'; nearest: entropy").hasLineCount(1);
    }

    @Test
    void aRunIsShownWithWhatNoDefaultHas() {
        Cli cli = Cli.run("show", directory.resolve("one").toString());

        assertThat(cli.out())
                .contains("done, 512 steps")
                .containsPattern("final return, greedy +\\d+\\.\\d\\d, 4 episodes, standard deviation")
                .containsPattern("\\* width +8 +default 64")
                .containsPattern("  layers +2\\n")
                .containsPattern("  entropy +0\\.\\d+")
                .contains("train --config");
    }

    @Test
    void runsAreComparedByWhatDiffers() throws IOException {
        Cli cli = Cli.run("compare", path("one"), path("wide"));
        JsonNode json = Cli.run("compare", path("one"), path("wide"), "--json").lastLineAsJson();

        assertThat(cli.out())
                .containsPattern("width +8 +16\\n")
                .containsPattern("return +\\d+\\.\\d\\d \\(\\d+\\.\\d\\d\\) +\\d+\\.\\d\\d \\(\\d+\\.\\d\\d\\)")
                .containsPattern("difference of the second from the first: [+-]\\d+\\.\\d\\d, standard error \\d")
                .doesNotContain("learning_rate");
        assertThat(json.get("differences")).hasSize(1);
        assertThat(json.get("differences")
                        .get(0)
                        .get("values")
                        .get(path("wide"))
                        .asText())
                .isEqualTo("16");
        assertThat(json.get("runs").get(1).get("return_std").asDouble()).isPositive();
        assertThat(Cli.run("compare", path("one"), path("one")).out()).contains("their settings are the same");
    }

    private static String path(String run) {
        return directory.resolve(run).toString();
    }

    /** Runs that differ in their seed alone are one line. */
    @Test
    void runsArePlottedByTheirSettings() throws IOException {
        Path svg = directory.resolve("curves.svg");
        Path png = directory.resolve("curves.png");

        Cli grouped = Cli.run("plot", directory.toString(), "-o", svg.toString());
        Cli each = Cli.run("plot", path("one"), path("two"), "-o", png.toString(), "--each", "--column", "entropy");

        assertThat(grouped.exitCode()).as(grouped.err()).isZero();
        assertThat(grouped.err()).contains("2 lines of 3 runs");
        assertThat(Files.readString(svg)).contains(">width=8, 2 runs<", ">width=16<", ">CartPole-v1, ppo, mlp policy<");
        assertThat(each.err()).contains("2 lines of 2 runs");
        BufferedImage image = ImageIO.read(png.toFile());
        assertThat(image.getWidth()).isGreaterThan(1000);

        Path overTime = directory.resolve("time.svg");
        Cli timed = Cli.run("plot", path("one"), path("two"), "-o", overTime.toString(), "--x", "time");
        assertThat(timed.exitCode()).as(timed.err()).isZero();
        JsonNode told = Cli.run("plot", path("one"), path("two"), "-o", overTime.toString(), "--x", "time", "--json")
                .lastLineAsJson();
        assertThat(told.get("runs").asInt()).isEqualTo(2);
        assertThat(told.get("lines")).hasSize(1);
        assertThat(Files.readString(overTime)).contains(">seconds of training<").doesNotContain("environment steps");
        assertThat(Files.readString(svg)).contains(">environment steps<");
    }
}
