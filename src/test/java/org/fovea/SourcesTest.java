// SPDX-License-Identifier: Apache-2.0
package org.fovea;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The licence of every source, in its first line or after that of its interpreter. */
final class SourcesTest {
    private static final String LICENCE = "SPDX-License-Identifier: Apache-2.0";
    private static final Pattern SOURCE =
            Pattern.compile("(.*\\.(java|cu|cuh|h|cpp|mjs|sh|py|awk|mk)|(.*/)?Makefile|fovea|\\.ci/run)");

    @Test
    void everySourceNamesItsLicence() throws IOException {
        List<Path> sources = new ArrayList<>();
        for (String place : List.of("fovea", ".ci", "docker", "docs", "kernels", "native-tests", "packaging", "src")) {
            try (Stream<Path> files = Files.walk(Path.of(place))) {
                files.filter(file -> SOURCE.matcher(file.toString()).matches()).forEach(sources::add);
            }
        }
        assertThat(sources)
                .hasSizeGreaterThan(700)
                .allSatisfy(source -> assertThat(head(source))
                        .as("%s begins with %s", source, LICENCE)
                        .matches("(#!.*\n)?(//|#) " + LICENCE + "\n(?s).*"));
    }

    /** As much of a file as says its licence. */
    private static String head(Path source) throws IOException {
        try (Stream<String> lines = Files.lines(source)) {
            return String.join("\n", lines.limit(3).toList()) + "\n";
        }
    }
}
