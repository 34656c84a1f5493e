// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.fovea.rl.run.Trainer;

/**
 * What made a result.
 *
 * @param command that was given
 * @param version of Fovea
 * @param commit of its source tree, empty where it did not come from one
 * @param machine processor, number of cores that can be used, memory, operating system
 * @param javaVersion version and name of the virtual machine
 */
public record Provenance(String command, String version, String commit, String machine, String javaVersion) {

    /**
     * Of this process.
     *
     * @param command that was given
     * @param home of the source tree, if there is one
     */
    public static Provenance here(String command, Optional<Path> home) {
        String version = Trainer.class.getPackage().getImplementationVersion();
        return new Provenance(
                command,
                version == null ? "" : version,
                home.map(Provenance::commit).orElse(""),
                describeMachine(),
                System.getProperty("java.version") + ", " + System.getProperty("java.vm.name"));
    }

    private static String describeMachine() {
        String processor = System.getProperty("os.arch");
        long kilobytes = 0;
        try {
            processor = value(Path.of("/proc/cpuinfo"), "model name").orElse(processor);
            kilobytes = value(Path.of("/proc/meminfo"), "MemTotal")
                    .map(text -> Long.parseLong(text.replaceAll("\\D", "")))
                    .orElse(0L);
        } catch (IOException | NumberFormatException notLinux) {
            // What is known without these files is said.
        }
        return String.format(
                Locale.ROOT,
                "%s, %d cores%s, %s",
                processor,
                Runtime.getRuntime().availableProcessors(),
                kilobytes == 0 ? "" : ", " + Math.round(kilobytes / 1048576.0) + " GiB",
                System.getProperty("os.name"));
    }

    /** That of the first line {@code key : value} in a file. */
    private static Optional<String> value(Path file, String key) throws IOException {
        try (var lines = Files.lines(file)) {
            return lines.filter(line -> line.startsWith(key) && line.contains(":"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst();
        }
    }

    /** That which git has checked out, with {@code +} where files differ from it; empty without git. */
    private static String commit(Path home) {
        try {
            String commit = git(home, "rev-parse", "--short=12", "HEAD");
            return commit.isEmpty()
                            || git(home, "status", "--porcelain", "--untracked-files=no", "src", "kernels")
                                    .isEmpty()
                    ? commit
                    : commit + "+";
        } catch (IOException noGit) {
            return "";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "";
        }
    }

    private static String git(Path home, String... arguments) throws IOException, InterruptedException {
        String[] command = new String[arguments.length + 3];
        command[0] = "git";
        command[1] = "-C";
        command[2] = home.toString();
        System.arraycopy(arguments, 0, command, 3, arguments.length);
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return process.waitFor() == 0 ? output.strip() : "";
    }
}
