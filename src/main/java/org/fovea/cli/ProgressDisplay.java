// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.fovea.rl.rollout.EpisodeStatistics;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.Throughput;

/** Shows how training or an evaluation goes: a bar on a terminal, else a line every few seconds. */
final class ProgressDisplay implements Progress.Listener, AutoCloseable {
    private static final long NANOS_BETWEEN_LINES = 5_000_000_000L;
    private static final long NANOS_BETWEEN_DRAWINGS = 200_000_000L;
    private static final int LONGEST_BAR = 40;
    private static final int SHORTEST_BAR = 5;

    private final Terminal terminal;
    private final StatusLine status;
    private final long totalSteps;
    private final AtomicLong lastShown = new AtomicLong(System.nanoTime());
    private volatile boolean trained;

    /** Replaced after each iteration by the thread that trains, read by those that play. */
    private volatile Progress newest;

    /** @param totalSteps of training, 0 if there is nothing but an evaluation */
    ProgressDisplay(Terminal terminal, long totalSteps) {
        this.terminal = terminal;
        this.status = new StatusLine(terminal);
        this.totalSteps = totalSteps;
        newest = new Progress(0, 0, totalSteps, Throughput.NONE, EpisodeStatistics.NONE, Double.NaN);
        if (terminal.isInteractive() && totalSteps > 0) {
            show(0);
        }
    }

    @Override
    public void progressed(Progress progress) {
        newest = progress;
        if (isDue() || progress.steps() == progress.totalSteps()) {
            lastShown.set(System.nanoTime());
            show(progress.steps());
        }
    }

    @Override
    public void playing(long steps) {
        if (isDue()) {
            show(steps);
        }
    }

    /** Whether it is time to show something, which the caller then has to do. */
    private boolean isDue() {
        long now = System.nanoTime();
        long last = lastShown.get();
        long pause = terminal.isInteractive() ? NANOS_BETWEEN_DRAWINGS : NANOS_BETWEEN_LINES;
        return now - last >= pause && lastShown.compareAndSet(last, now);
    }

    @Override
    public void trained() {
        trained = true;
        if (terminal.isInteractive() && totalSteps > 0) {
            show(newest.steps());
        }
        status.end();
    }

    @Override
    public void evaluating(int episodes, int total, long steps) {
        // The bar stays while training goes on.
        if ((terminal.isInteractive() && totalSteps > 0 && !trained) || !isDue()) {
            return;
        }
        status.show("evaluating: " + NumberFormats.count(episodes) + " of " + NumberFormats.count(total) + " episodes, "
                + NumberFormats.count(steps) + " steps");
    }

    /** @param steps of the run so far, which may be more than when the last iteration ended */
    private void show(long steps) {
        Progress progress = newest;
        status.show(
                terminal.isInteractive() ? bar(progress, steps, status.width()) : line(progress, steps, Detail.ALL));
    }

    /** The most that there is room for beside a bar, or without one. */
    private static String bar(Progress progress, long steps, int width) {
        for (int least : List.of(SHORTEST_BAR + 3, 0)) {
            for (Detail detail : Detail.values()) {
                String numbers = line(progress, steps, detail);
                int length = Math.min(LONGEST_BAR, width - numbers.length() - 3);
                if (numbers.length() + least <= width) {
                    int filled = (int) (Math.max(0, length) * steps / progress.totalSteps());
                    return length < SHORTEST_BAR
                            ? numbers
                            : "[" + "=".repeat(filled) + " ".repeat(length - filled) + "] " + numbers;
                }
            }
        }
        return line(progress, steps, Detail.LEAST);
    }

    /** How much a line says. */
    private enum Detail {
        ALL("environment", "inference", "update"),
        SHORT("env", "inf", "upd"),
        LEAST("", "", "");

        private final String environment;
        private final String inference;
        private final String update;

        Detail(String environment, String inference, String update) {
            this.environment = environment;
            this.inference = inference;
            this.update = update;
        }

        /** How the time was split, if it is known. */
        private String phases(Throughput throughput) {
            if (this == LEAST || !Double.isFinite(throughput.environmentShare())) {
                return "";
            }
            return String.format(
                    Locale.ROOT,
                    "   %s %.0f %%, %s %.0f %%, %s %.0f %%",
                    environment,
                    100 * throughput.environmentShare(),
                    inference,
                    100 * Math.max(0, throughput.inferenceShare()),
                    update,
                    100 * Math.max(0, throughput.trainShare()));
        }
    }

    private static String line(Progress progress, long steps, Detail detail) {
        String total = NumberFormats.count(progress.totalSteps());
        String evaluated = Double.isNaN(progress.evaluated())
                ? ""
                : (detail == Detail.ALL ? "   evaluated " : "   eval ") + NumberFormats.score(progress.evaluated());
        return String.format(
                Locale.ROOT,
                "%" + total.length() + "s / %s steps   %s steps/s   return %s%s%s   %s left",
                NumberFormats.count(steps),
                total,
                NumberFormats.count(progress.stepsPerSecond()),
                NumberFormats.score(progress.episodes().meanReturn()),
                evaluated,
                detail.phases(progress.throughput()),
                NumberFormats.duration((progress.totalSteps() - progress.steps()) / progress.stepsPerSecond()));
    }

    @Override
    public void close() {
        status.end();
    }
}
