// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.function.Supplier;
import org.fovea.env.EnvironmentException;
import org.fovea.env.StepTimeout;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How long a step of an environment may take. */
final class StepTimeoutOption {
    @Option(
            names = "--step-timeout",
            paramLabel = "SECONDS",
            description =
                    "Fail where one step or reset of an environment takes longer, and say where it hangs (default:"
                            + " none; of one in Python 60).")
    private @Nullable Double seconds;

    @Spec(Spec.Target.MIXEE)
    private @Nullable CommandSpec command;

    /**
     * Sets the limit, for environments that are made from now on.
     *
     * @param left says what is left of the work if the process has to be ended
     */
    void apply(Terminal terminal, Supplier<String> left) {
        double limit = seconds == null ? Double.POSITIVE_INFINITY : seconds;
        if (!(limit > 0)) {
            throw new UsageException("--step-timeout must be greater than 0 seconds, got " + limit);
        }
        StepTimeout.set(limit, hung -> halt(hung, terminal, left));
    }

    /** Nothing in Java ends a thread that goes on for ever. */
    private void halt(EnvironmentException hung, Terminal terminal, Supplier<String> left) {
        String name = command == null ? "fovea" : command.qualifiedName();
        terminal.err().println();
        terminal.err().println(name + ": " + hung.getMessage() + ". " + left.get());
        if (hung.getCause() != null) {
            UserTrace.print(terminal.err(), hung.getCause());
        }
        terminal.err().flush();
        Runtime.getRuntime().halt(Failures.FAILED);
    }
}
