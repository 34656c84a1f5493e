// SPDX-License-Identifier: Apache-2.0
package org.fovea.docs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fovea.cli.DocumentedCommand;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** docs/metrics.md names what a run writes, and nothing else. */
class MetricsPageTest {
    private static final Pattern NAME = Pattern.compile("`([^`]+)`");
    private static final Pattern TAG =
            Pattern.compile("\"((?:charts|losses|rollout|time|eval|weights|gradients|attention)/\\w*)");

    @TempDir
    private Path directory;

    @Test
    void everyMetricIsExplained() throws IOException {
        Path run = directory.resolve("run");
        DocumentedCommand.Outcome outcome =
                DocumentedCommand.run(List.of(("train --env CartPole-v1 --policy mlp --steps 32 --envs 2"
                                + " --final-episodes 1 --eval-every 32 --eval-episodes 1 --set rollout_steps=16 --set width=8 --backend cpu"
                                + " --threads 1 --quiet --json --out " + run)
                        .split(" ")));
        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        Set<String> written = new TreeSet<>();
        for (String table : List.of("progress.csv", "times.csv", "evaluations.csv")) {
            written.addAll(List.of(Files.readAllLines(run.resolve(table)).get(0).split(",")));
        }
        Matcher key = Pattern.compile("\"(\\w+)\" :").matcher(Files.readString(run.resolve("result.json")));
        Set<String> results = new TreeSet<>();
        while (key.find()) {
            results.add(key.group(1));
        }
        Matcher tag = TAG.matcher(Files.readString(Path.of("src/main/java/org/fovea/rl/run/TensorBoardLog.java")));
        while (tag.find()) {
            written.add(tag.group(1));
        }
        Set<String> explained = new TreeSet<>();
        for (String line : Files.readAllLines(Path.of("docs/metrics.md"))) {
            if (line.startsWith("| `")) {
                Matcher name = NAME.matcher(line.substring(0, line.indexOf('|', 1)));
                while (name.find()) {
                    explained.add(name.group(1));
                }
            }
        }

        assertThat(explained).containsAll(written);
        List<String> unknown = new ArrayList<>(explained);
        unknown.removeAll(written);
        unknown.removeAll(results);
        assertThat(unknown).as("names that nothing writes").isEmpty();
    }

    /** Every row of a table of numbers says its unit or has none, what it is, and has a column for what is good. */
    @Test
    void everyRowIsWhole() throws IOException {
        for (String line : Files.readAllLines(Path.of("docs/metrics.md"))) {
            if (line.startsWith("| `") && !line.contains("/ep_") && !line.matches("\\| `\\w+/.*")) {
                assertThat(line.split("\\|", -1)).as(line).hasSize(6);
            }
        }
    }
}
