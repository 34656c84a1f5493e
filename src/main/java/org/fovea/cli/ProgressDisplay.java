// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.fovea.rl.rollout.EpisodeStatistics;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.Throughput;
import org.jspecify.annotations.Nullable;

/** Shows how training goes: a bar on a terminal, else a line every few seconds. */
final class ProgressDisplay implements Progress.Listener, AutoCloseable {
    private static final long NANOS_BETWEEN_LINES = 5_000_000_000L;
    private static final int MILLIS_BETWEEN_DRAWINGS = 200;
    private static final int LONGEST_BAR = 40;
    private static final int SHORTEST_BAR = 5;

    private final Terminal terminal;
    private final @Nullable ProgressBar bar;
    private final AtomicBoolean barClosed = new AtomicBoolean();
    private volatile boolean trained;
    private volatile boolean drawn;
    private volatile long playedSteps;
    /** When the last line was printed, or the last drawing made while evaluating. */
    private final AtomicLong lastLine = new AtomicLong(System.nanoTime());

    /** What the bar shows; replaced after each iteration by the thread that trains, read by the one that draws. */
    private volatile Progress newest;

    /** @param totalSteps of training, 0 if there is nothing but an evaluation */
    ProgressDisplay(Terminal terminal, long totalSteps) {
        this.terminal = terminal;
        newest = new Progress(0, 0, totalSteps, Throughput.NONE, EpisodeStatistics.NONE, Double.NaN);
        if (terminal.isInteractive() && totalSteps > 0) {
            bar = new ProgressBarBuilder()
                    .setInitialMax(totalSteps)
                    .setUpdateIntervalMillis(MILLIS_BETWEEN_DRAWINGS)
                    .setRenderer((state, width) -> bar(newest, Math.max(newest.steps(), playedSteps), width))
                    .setConsumer(new DelegatingProgressBarConsumer(this::overwriteLine, terminal.width() - 1))
                    .build();
        } else {
            bar = null;
        }
    }

    @Override
    public void progressed(Progress progress) {
        newest = progress;
        if (bar != null) {
            bar.stepTo(progress.steps());
            lastLine.set(System.nanoTime());
            return;
        }
        long now = System.nanoTime();
        if (now - lastLine.get() >= NANOS_BETWEEN_LINES || progress.steps() == progress.totalSteps()) {
            lastLine.set(now);
            terminal.err().println(line(progress, progress.steps()));
        }
    }

    @Override
    public void playing(long steps) {
        playedSteps = steps;
        if (!isDue()) {
            return;
        }
        if (bar != null) {
            bar.stepTo(steps);
        } else {
            terminal.err().println(line(newest, steps));
        }
    }

    /** Whether it is time to print, which the caller then has to do. */
    private boolean isDue() {
        long now = System.nanoTime();
        long last = lastLine.get();
        long pause = terminal.isInteractive() ? MILLIS_BETWEEN_DRAWINGS * 1_000_000L : NANOS_BETWEEN_LINES;
        return now - last >= pause && lastLine.compareAndSet(last, now);
    }

    @Override
    public void trained() {
        trained = true;
    }

    @Override
    public void evaluating(int episodes, int total, long steps) {
        // The bar stays while training goes on.
        if ((bar != null && !trained) || !isDue()) {
            return;
        }
        if (bar != null && !barClosed.getAndSet(true)) {
            bar.close();
            terminal.err().println();
        }
        String line = "evaluating: " + NumberFormats.count(episodes) + " of " + NumberFormats.count(total)
                + " episodes, " + NumberFormats.count(steps) + " steps";
        if (terminal.isInteractive()) {
            int width = terminal.width() - 1;
            String fitting = line.length() > width ? line.substring(0, width) : line;
            overwriteLine(fitting + " ".repeat(width - fitting.length()));
            drawn = true;
        } else {
            terminal.err().println(line);
        }
    }

    /** One line of exactly {@code width} characters, the bar taking what the numbers leave. */
    private static String bar(Progress progress, long steps, int width) {
        String numbers = " " + line(progress, steps);
        int length = Math.min(LONGEST_BAR, width - numbers.length() - 2);
        double done = (double) steps / progress.totalSteps();
        int filled = (int) Math.round(Math.max(0, length) * done);
        String drawn = length < SHORTEST_BAR ? "" : "[" + "=".repeat(filled) + " ".repeat(length - filled) + "]";
        String line = drawn + numbers;
        return line.length() > width ? line.substring(0, width) : line + " ".repeat(width - line.length());
    }

    private void overwriteLine(String line) {
        terminal.err().print('\r' + line);
        terminal.err().flush();
    }

    /** @param steps of the run so far, which may be more than when the last iteration ended */
    private static String line(Progress progress, long steps) {
        String total = NumberFormats.count(progress.totalSteps());
        return String.format(
                Locale.ROOT,
                "%" + total.length() + "s / %s steps   %s steps/s   return %s%s   %s left",
                NumberFormats.count(steps),
                total,
                NumberFormats.count(progress.stepsPerSecond()),
                NumberFormats.score(progress.episodes().meanReturn()),
                Double.isNaN(progress.evaluated()) ? "" : "   evaluated " + NumberFormats.score(progress.evaluated()),
                timeLeft(progress));
    }

    private static String timeLeft(Progress progress) {
        double seconds = (progress.totalSteps() - progress.steps()) / progress.stepsPerSecond();
        return NumberFormats.duration(seconds);
    }

    @Override
    public void close() {
        if (bar != null && !barClosed.getAndSet(true)) {
            bar.close();
            drawn = true;
        }
        if (drawn) {
            terminal.err().println();
        }
    }
}
