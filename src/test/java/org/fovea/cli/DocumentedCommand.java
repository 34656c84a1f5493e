// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.List;

/** A command of the documentation, run in this process. */
public final class DocumentedCommand {
    private DocumentedCommand() {}

    /** Its exit code and standard error. */
    public record Outcome(int exitCode, String err) {}

    /** Runs a command by its words, without the program's name. */
    public static Outcome run(List<String> words) {
        Cli cli = Cli.run(words.toArray(String[]::new));
        return new Outcome(cli.exitCode(), cli.err());
    }
}
