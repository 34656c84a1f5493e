// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.fovea.cli.bench.Card;
import org.fovea.cli.bench.SimulatedProfile;
import picocli.CommandLine.Option;

/** Options by which a benchmark counts what simulated kernels do, in place of its measurements. */
final class ProfileOptions {
    private static final String PROFILE_PROPERTY = "fovea.cuda.simulator.profile";

    @Option(
            names = "--profile",
            description =
                    "With --simulate=ptx: do the work once, and print what each kernel did and the time that a card needs for it"
                            + " at least.")
    private boolean wanted;

    @Option(
            names = "--card",
            paramLabel = "NAME",
            description = "The card of --profile: a100, h100, h200 or rtx4090 (default: h100).")
    private String card = Card.H100.toString();

    boolean isWanted() {
        return wanted;
    }

    /** What a benchmark does. */
    interface Work {
        void run() throws IOException;
    }

    /**
     * Runs work that opens a backend, and prints what was counted.
     *
     * @param title says what the work is
     * @throws UsageException if the backend's options don't say {@code --simulate=ptx}
     */
    void run(BackendOptions device, Terminal terminal, String title, Work work) throws IOException {
        if (!device.simulatesPtx()) {
            throw new UsageException("--profile counts instructions of PTX: it needs --simulate=ptx");
        }
        Card model = Card.of(card);
        terminal.out().println(title);
        Path file = Files.createTempFile("fovea-profile", ".jsonl");
        try {
            System.setProperty(PROFILE_PROPERTY, file.toString());
            work.run();
            SimulatedProfile.read(file, model).print(terminal.out());
        } finally {
            Files.delete(file);
        }
    }
}
