// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The command line of a rank. */
final class RankLauncherTest {

    /** In another process descriptor 3 is another file: the modules of the JDK, which would be written to. */
    @Test
    void ranksHaveTheOptionsOfTheirLauncherButNotItsDescriptors() {
        List<String> line = RankLauncher.commandLine(
                List.of("--add-modules=jdk.incubator.vector", "-Dfovea.stderr=/dev/fd/3", "-Dfovea.home=/x"),
                List.of("train", "--ranks", "2"));
        assertThat(line)
                .contains("--add-modules=jdk.incubator.vector", "-Dfovea.home=/x")
                .noneMatch(argument -> argument.contains("fovea.stderr"))
                .endsWith("org.fovea.cli.Fovea", "train", "--ranks", "2");
    }
}
