// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.ndarray.INDArray;

/** The five lines in README.md and docs/nd4j.md are those of ReadmeExample, which run. */
final class DocumentationTest {

    /** The lines between the method's head and its end, however they are broken. */
    private static String example() throws IOException {
        return Files.readString(Path.of("src/test/java/org/fovea/nd4j/ReadmeExample.java"))
                .lines()
                .dropWhile(line -> !line.contains("run()"))
                .skip(1)
                .takeWhile(line -> !line.contains("return"))
                .map(String::strip)
                .collect(Collectors.joining())
                .replaceAll("\\s+", "");
    }

    private static String text(String file) throws IOException {
        return Files.readString(Path.of("..", file)).replaceAll("\\s+", "");
    }

    @Test
    void theFiveLinesRun() throws IOException {
        INDArray[] results = ReadmeExample.run();
        assertThat(results[0].shape()).containsExactly(8, 4, 128, 64);
        assertThat(results[1].shape()).containsExactly(8, 4, 128, 64);
        assertThat(results[1].amaxNumber().doubleValue()).isFinite().isPositive();
        assertThat(text("docs/nd4j.md")).contains(example());
        List<String> shown = Files.readString(Path.of("..", "README.md"))
                .lines()
                .filter(line -> line.contains("FusedAttention."))
                .map(line -> line.replaceAll("\\s+", ""))
                .toList();
        assertThat(shown).isNotEmpty().allSatisfy(line -> assertThat(example()).contains(line));
    }
}
