// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.Backends;
import org.fovea.backend.Diagnostic;
import org.fovea.backend.Diagnostic.Status;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Diagnosis of this machine: what Fovea can use of it, and what to do about what is missing. */
@Command(
        name = "doctor",
        abbreviateSynopsis = true,
        header =
                "Examine this machine: what is there, what is missing, what to do about it, and which backend is taken.",
        footerHeading = "%nExit code:%n",
        footer = {"  0 where the backend that was asked for is available, 3 where not"})
final class DoctorCommand implements Callable<Integer> {
    private static final Map<Status, String> MARKS = Map.of(Status.OK, "ok", Status.NOTE, "", Status.NO, "no");

    private final Terminal terminal;

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = Backends.AUTO,
            completionCandidates = Candidates.BackendNames.class,
            description = "Which one has to work: auto, cpu or cuda (default: ${DEFAULT-VALUE}).")
    private String backend = Backends.AUTO;

    @Option(names = "--device", paramLabel = "N", description = "Which GPU of several, from 0 (default: 0).")
    private int device;

    @Option(names = "--json", description = "Print the same as one JSON object.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    /** The outcome of opening a backend: its name and description, or the reason why there is none. */
    private record Outcome(String name, String description, List<String> reasons) {
        boolean isOpen() {
            return !name.isEmpty();
        }
    }

    DoctorCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        BackendOptions.requireKnown(backend);
        if (device < 0) {
            throw new UsageException("--device must be 0 or more, got " + device);
        }
        List<Diagnostic> findings = new ArrayList<>();
        findings.add(Diagnostic.of("java", DoctorCommand::java));
        findings.addAll(Backends.examine());
        Outcome outcome = open();
        if (json) {
            terminal.out().println(asJson(findings, outcome));
        } else {
            print(findings, outcome);
        }
        return outcome.isOpen() ? 0 : Failures.UNAVAILABLE;
    }

    private static Diagnostic java() {
        Map<String, Object> details = new TreeMap<>();
        for (String property : List.of("java.version", "java.vm.name", "java.vendor", "java.home")) {
            details.put(property, System.getProperty(property, ""));
        }
        return Diagnostic.ok(
                        "java",
                        details.get("java.version") + ", " + details.get("java.vm.name") + ", "
                                + details.get("java.vendor") + ", in " + details.get("java.home"))
                .withDetails(details);
    }

    private Outcome open() {
        BackendSettings settings = BackendSettings.DEFAULT.withDevice(device);
        try {
            Backends.Choice choice = Backends.open(backend, settings);
            try (Backend open = choice.backend()) {
                return new Outcome(open.name(), open.description(), choice.reasons());
            }
        } catch (BackendUnavailableException unavailable) {
            return new Outcome("", "", List.of(String.valueOf(unavailable.getMessage())));
        } catch (RuntimeException | LinkageError e) {
            return new Outcome("", "", List.of("opening it failed: " + e));
        }
    }

    private void print(List<Diagnostic> findings, Outcome outcome) {
        int width = findings.stream()
                .mapToInt(finding -> finding.subject().length())
                .max()
                .orElse(0);
        String format = "%-2s  %-" + width + "s  %s%n";
        for (Diagnostic finding : findings) {
            terminal.out().printf(Locale.ROOT, format, MARKS.get(finding.status()), finding.subject(), finding.found());
            if (!finding.next().isEmpty()) {
                terminal.out().printf(Locale.ROOT, format, "", "", "-> " + finding.next());
            }
        }
        terminal.out().println();
        terminal.out().println(verdict(outcome));
        outcome.reasons().forEach(reason -> terminal.out().println("  " + reason));
    }

    private String verdict(Outcome outcome) {
        if (!outcome.isOpen()) {
            return backend + " does not work";
        }
        String prefix = outcome.name() + ": ";
        String description = outcome.description();
        return (backend.equals(Backends.AUTO) ? "auto picks " : "works: ")
                + (description.startsWith(prefix) ? description : prefix + description);
    }

    private Json asJson(List<Diagnostic> findings, Outcome outcome) {
        List<Json> list = findings.stream()
                .map(finding -> new Json()
                        .with("subject", finding.subject())
                        .with("status", finding.status().name().toLowerCase(Locale.ROOT))
                        .with("found", finding.found())
                        .with("next", finding.next())
                        .with("details", new Json().withAll(finding.details())))
                .toList();
        return new Json()
                .with("findings", list)
                .with("asked", backend)
                .with("works", outcome.isOpen())
                .with("backend", outcome.name())
                .with("description", outcome.description())
                .with("reason", String.join("; ", outcome.reasons()));
    }
}
