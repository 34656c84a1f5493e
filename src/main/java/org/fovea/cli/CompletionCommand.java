// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Prints what a shell needs to complete commands and options. */
@Command(
        name = "completion",
        header = "Print a script by which bash or zsh completes commands, options and file names.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  source <(fovea completion bash)                    in this shell; in ~/.bashrc for all",
            "  source <(fovea completion zsh)                     in ~/.zshrc",
            "  fovea completion bash >~/.local/share/bash-completion/completions/fovea"
        })
final class CompletionCommand implements Runnable {
    private static final Pattern DECLARED_VALUES =
            Pattern.compile("local \\w+_option_args=\\((.*)\\) # (-[\\w-]+) values");

    private static final Pattern OFFERED_VALUES =
            Pattern.compile("('(-[\\w-]+)'\\)\\n.*\\n.*compReplyArray \")\\$\\{\\w+_option_args\\[@]}");

    private final Terminal terminal;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}.")
    @SuppressWarnings("NullAway.Init")
    private Shell shell;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    private enum Shell {
        BASH,
        ZSH;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    CompletionCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        // One script for both: in zsh it loads the emulation of bash's completion.
        terminal.out().println("# Completion of fovea in " + shell);
        String script = AutoComplete.bash(spec.root().name(), spec.root().commandLine());
        terminal.out().print(withValuesByOption(script));
    }

    /** Picocli calls the list of an option's values by its parameter's label, which several options of a command have in common. */
    private static String withValuesByOption(String script) {
        String declared = DECLARED_VALUES
                .matcher(script)
                .replaceAll(values ->
                        Matcher.quoteReplacement("local " + variable(values.group(2)) + "=(" + values.group(1) + ")"));
        return OFFERED_VALUES
                .matcher(declared)
                .replaceAll(values ->
                        Matcher.quoteReplacement(values.group(1) + "${" + variable(values.group(2)) + "[@]}"));
    }

    private static String variable(String option) {
        return "values_of" + option.replace('-', '_');
    }
}
