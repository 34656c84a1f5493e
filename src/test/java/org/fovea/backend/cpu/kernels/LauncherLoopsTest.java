// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** HotSpot complains of a pattern that it can't read, but not of a class that isn't there. */
class LauncherLoopsTest {

    @Test
    void theLauncherNamesClassesThatThereAre() throws IOException {
        String launcher = Files.readString(Path.of("fovea"));
        Matcher packageName = Pattern.compile("(?m)^loops=([\\w.]+)$").matcher(launcher);
        assertThat(packageName.find()).isTrue();
        List<String> classes = Pattern.compile("dontinline,\\$loops\\.([^:]*)::\\*\"")
                .matcher(launcher)
                .results()
                .map(found -> found.group(1))
                .toList();
        assertThat(classes).hasSizeGreaterThanOrEqualTo(2);
        for (String name : classes) {
            assertThatCode(() -> Class.forName(
                            packageName.group(1) + "." + name, false, getClass().getClassLoader()))
                    .doesNotThrowAnyException();
        }
    }
}
