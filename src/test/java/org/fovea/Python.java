// SPDX-License-Identifier: Apache-2.0
package org.fovea;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Programs of Python that a test runs where there is what they need. */
public final class Python {
    private Python() {}

    /** Skips the test, naming the module, unless {@code python3} has all of them. */
    public static void require(String... modules) throws IOException, InterruptedException {
        for (String module : modules) {
            int code = new ProcessBuilder("sh", "-c", "exec python3 -c 'import " + module + "' >/dev/null 2>&1")
                    .start()
                    .waitFor();
            assumeTrue(code == 0, () -> "python3 has no " + module + " (pip install " + module + ")");
        }
    }

    /** What a script prints, which must end well; arguments are its file and its own. */
    public static String run(Path directory, String... arguments) throws IOException, InterruptedException {
        String[] command = new String[arguments.length + 1];
        command[0] = "python3";
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
