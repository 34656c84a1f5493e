// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs with environments of Python, by the stand-in for Gymnasium. */
@Tag("integration")
@Timeout(180)
class GymnasiumRunTest {
    @TempDir
    private Path directory;

    private Path python = Path.of("");

    @BeforeEach
    void aPythonWithTheStub() throws Exception {
        boolean found = new ProcessBuilder("sh", "-c", "python3 -c 'import numpy' >/dev/null 2>&1")
                        .start()
                        .waitFor()
                == 0;
        assumeTrue(found, "python3 with numpy is not installed: no environment of Python is trained");
        Path stub = Path.of(GymnasiumRunTest.class
                .getResource("/org/fovea/env/gymnasium/stub")
                .toURI());
        python = directory.resolve("python3");
        Files.writeString(
                python, "#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH='" + stub + "' exec python3 \"$@\"\n");
        Files.setPosixFilePermissions(python, PosixFilePermissions.fromString("rwx------"));
    }

    @Test
    void aRunKeepsWhatWasPlayed() {
        Path run = directory.resolve("run");
        String train = "train --policy mlp --envs 4 --set rollout_steps=64 --final-episodes 4 --out " + run;
        Cli first =
                Cli.run((train + " --steps 256 --env gym:Faulty-v0 --env-arg mask=true --python " + python).split(" "));
        assertThat(first.exitCode()).as(first.err()).isZero();
        assertThat(first.err()).contains("training gym:Faulty-v0?mask=true&--python=" + python);
        Cli evaluated = Cli.run("eval", run.toString(), "--episodes", "4", "--json");
        assertThat(evaluated.exitCode()).as(evaluated.err()).isZero();
        // Steps 1 to 7 give 1 to 7.
        assertThat(evaluated.out()).contains("\"return_mean\":28");
        Cli resumed = Cli.run((train + " --resume --steps 512").split(" "));
        assertThat(resumed.exitCode()).as(resumed.err()).isZero();
        assertThat(resumed.err()).contains("not exact: gym:Faulty-v0", "cannot save its state");
    }

    @Test
    void anExceptionShowsPythonsTraceback() {
        Cli failed =
                Cli.run(("train --policy mlp --envs 4 --steps 2000 --env gym:Faulty-v0 --env-arg fault=raise --out "
                                + directory.resolve("run") + " --python " + python)
                        .split(" "));
        assertThat(failed.exitCode()).isEqualTo(1);
        assertThat(failed.err())
                .contains(
                        ", episode 0, step 3: step raised ValueError: it is broken. There was no checkpoint yet",
                        "    Traceback (most recent call last):",
                        "in step",
                        "    ValueError: it is broken")
                .doesNotContain("at org.fovea");
    }

    @Test
    void optionsThatDoNotFit() {
        assertThat(Cli.run("train", "--env-wrapper", "a:b").err()).contains("--env gym:ID");
        assertThat(Cli.run("train", "--env", "gym:A-v0", "--env-arg", "nonsense")
                        .exitCode())
                .isEqualTo(2);
        assertThat(Cli.run("train", "--env", "gym:A-v0", "--step-timeout", "-1").exitCode())
                .isEqualTo(2);
        Cli ofJava = Cli.run("bench", "env", "MemoryChain-v0", "--env-arg", "length=3", "--seconds", "0.1");
        assertThat(ofJava.out()).startsWith("MemoryChain-v0:length=3, 16 environments: ");
    }
}
