// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fovea.rl.experiment.Cell;
import org.fovea.rl.experiment.CellResult;
import org.fovea.rl.experiment.Experiment;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Experiment.State;
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.run.Progress;

/** Tells how an experiment goes: a line where a cell begins or ends, and one about those under way, drawn again on a terminal. */
final class ExperimentDisplay implements Experiment.Listener {
    private static final long NANOS_BETWEEN_LINES = 10_000_000_000L;
    private static final long NANOS_BETWEEN_DRAWINGS = 500_000_000L;

    private final Terminal terminal;
    private final StatusLine status;
    private final int total;
    private final Map<Cell, Progress> underWay = new LinkedHashMap<>();
    private int done;
    private long lastLine = System.nanoTime();

    ExperimentDisplay(Terminal terminal, List<Outcome> before) {
        this.terminal = terminal;
        this.status = new StatusLine(terminal);
        this.total = before.size();
        this.done = (int)
                before.stream().filter(outcome -> outcome.state() == State.DONE).count();
        if (done > 0) {
            print("%d of %d runs are done", done, total);
        }
    }

    @Override
    public synchronized void started(Cell cell, long steps) {
        print(
                "%s: %s, %s, %s policy, seed %d%s",
                cell.name(),
                cell.spec().environment(),
                cell.spec().config().algorithm(),
                cell.spec().policy(),
                cell.spec().seed(),
                steps == 0 ? "" : String.format(Locale.ROOT, ", from step %,d", steps));
    }

    @Override
    public synchronized void progressed(Cell cell, Progress progress) {
        underWay.put(cell, progress);
        long now = System.nanoTime();
        if (now - lastLine < (terminal.isInteractive() ? NANOS_BETWEEN_DRAWINGS : NANOS_BETWEEN_LINES)) {
            return;
        }
        lastLine = now;
        StringBuilder line = new StringBuilder();
        underWay.forEach((running, at) -> line.append(String.format(
                Locale.ROOT,
                "   %s %d %%, return %s",
                running.name(),
                100 * at.steps() / at.totalSteps(),
                NumberFormats.score(at.episodes().meanReturn()))));
        status.show(done + " of " + total + " done" + line);
    }

    @Override
    public synchronized void ended(Outcome outcome) {
        underWay.remove(outcome.cell());
        CellResult result = outcome.result();
        if (result != null) {
            done++;
            print(
                    "%s: greedy %s, sampled %s, %s",
                    outcome.cell().name(),
                    NumberFormats.score(result.greedy().mean()),
                    NumberFormats.score(result.sampled().mean()),
                    NumberFormats.duration(result.seconds()));
        } else if (outcome.failure() != null) {
            status.erase();
            Failures.report(ofSettings(outcome.failure()), outcome.cell().name() + " failed", terminal);
        }
    }

    /** Nothing is under way any more. */
    synchronized void end() {
        status.erase();
    }

    /** Settings that go wrong are what a sweep is to find, no fault of Fovea. */
    private static Throwable ofSettings(Throwable failure) {
        return failure instanceof NonFiniteException || failure instanceof IllegalArgumentException
                ? new FailedException(String.valueOf(failure.getMessage()), failure)
                : failure;
    }

    private void print(String format, Object... values) {
        status.print(String.format(Locale.ROOT, format, values));
    }
}
