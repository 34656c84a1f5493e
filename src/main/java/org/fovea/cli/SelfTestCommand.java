// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.cli.selftest.CheckResult;
import org.fovea.cli.selftest.CheckResult.Outcome;
import org.fovea.cli.selftest.SelfTest;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command that compares a backend with the float64 reference on this machine. */
@Command(
        name = "selftest",
        abbreviateSynopsis = true,
        header = "Test that this machine's device computes what it should, against plain float64 loops.",
        footerHeading = "%nExit code:%n",
        footer = {"  0 where all is well, 1 where a check failed, 3 where the backend is unavailable"})
final class SelfTestCommand extends BackendCommand {
    @Option(names = "--deep", description = "Larger shapes and more repeats; minutes.")
    private boolean deep;

    @Option(names = "--only", paramLabel = "CHECK", split = ",", description = "These checks alone, such as math.gemm.")
    private List<String> only = List.of();

    @Option(names = "--json", description = "Print the results as one JSON object.")
    private boolean json;

    SelfTestCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    int run(Map<String, String> backendSettings) {
        List<String> names = SelfTest.names();
        for (String name : only) {
            if (!names.contains(name)) {
                throw new UsageException("there is no check '" + name + "'; there are " + String.join(", ", names));
            }
        }
        try (Backend backend = open(backendSettings)) {
            return test(backend, BackendSettings.DEFAULT.with(backendSettings).precision(), only);
        }
    }

    /** Runs the checks named, or all, on a backend, prints the results, and returns the exit code. */
    int test(Backend backend, BackendSettings.Precision precision, List<String> checks) {
        long start = System.nanoTime();
        StatusLine status = new StatusLine(terminal);
        List<CheckResult> results = SelfTest.run(backend, deep, precision, checks, result -> {
            if (terminal.isInteractive()) {
                status.show(result.name());
            }
        });
        status.erase();
        double seconds = (System.nanoTime() - start) * 1e-9;
        boolean passed = results.stream().noneMatch(result -> result.outcome() == Outcome.FAILED);
        if (json) {
            terminal.out().println(asJson(backend, results, seconds, passed));
        } else {
            print(backend, results, seconds);
        }
        return passed ? 0 : Failures.FAILED;
    }

    private void print(Backend backend, List<CheckResult> results, double seconds) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("check", "result", "cases", "largest error", "of what is allowed", "seconds"));
        for (CheckResult result : results) {
            boolean isCompared = result.outcome() == Outcome.PASSED && !Double.isNaN(result.error());
            rows.add(List.of(
                    result.name(),
                    lowerCase(result.outcome()),
                    String.valueOf(result.passed() + result.failed()),
                    isCompared ? String.format(Locale.ROOT, "%.1e", result.error()) : "",
                    isCompared ? String.format(Locale.ROOT, "%.0f%%", 100 * result.share()) : "",
                    String.format(Locale.ROOT, "%.2f", result.seconds())));
        }
        terminal.out().println(backend.description());
        terminal.out().println();
        Table.printWithHeading(terminal, terminal.out(), rows);
        terminal.out().println();
        for (CheckResult result : results) {
            if (!result.message().isEmpty()) {
                String what = result.outcome() == Outcome.FAILED ? "failed: " : skipped(result);
                terminal.out().println(what + result.name() + ": " + result.message());
            }
        }
        long operations = results.stream().filter(CheckResult::isOperation).count();
        int cases = results.stream().mapToInt(r -> r.passed() + r.failed()).sum();
        terminal.out()
                .println(operations + " operations and " + (results.size() - operations) + " checks beyond them, in "
                        + cases
                        + " cases: " + count(results, Outcome.PASSED) + " passed, " + count(results, Outcome.FAILED)
                        + " failed, " + count(results, Outcome.SKIPPED) + " skipped, in "
                        + String.format(Locale.ROOT, "%.1f s", seconds));
    }

    private static String skipped(CheckResult result) {
        return result.outcome() == Outcome.SKIPPED ? "skipped: " : "skipped in part, " + result.skipped() + " cases: ";
    }

    private static long count(List<CheckResult> results, Outcome outcome) {
        return results.stream().filter(result -> result.outcome() == outcome).count();
    }

    private static String lowerCase(Outcome outcome) {
        return outcome.name().toLowerCase(Locale.ROOT);
    }

    private static Json asJson(Backend backend, List<CheckResult> results, double seconds, boolean passed) {
        List<Json> checks = results.stream()
                .map(result -> new Json()
                        .with("name", result.name())
                        .with("operation", result.isOperation())
                        .with("result", lowerCase(result.outcome()))
                        .with("cases", result.passed() + result.failed())
                        .with("cases_failed", result.failed())
                        .with("cases_skipped", result.skipped())
                        .with("error", result.error())
                        .with("share_of_allowed", result.share())
                        .with("seconds", result.seconds())
                        .with("message", result.message()))
                .toList();
        return new Json()
                .with("backend", backend.name())
                .with("description", backend.description())
                .with("passed", passed)
                .with(
                        "operations",
                        results.stream().filter(CheckResult::isOperation).count())
                .with("seconds", seconds)
                .with("checks", checks);
    }
}
