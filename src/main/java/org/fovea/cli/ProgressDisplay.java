package org.fovea.cli;

import java.util.Locale;
import java.util.Optional;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.fovea.rl.Progress;
import org.jspecify.annotations.Nullable;

/** Shows how training goes: a bar on a terminal, else a line every few seconds. */
final class ProgressDisplay implements Progress.Listener, AutoCloseable {
    private static final long NANOS_BETWEEN_LINES = 5_000_000_000L;
    private static final int MILLIS_BETWEEN_DRAWINGS = 200;

    private final Terminal terminal;
    private @Nullable ProgressBar bar;
    private long lastLine = System.nanoTime();

    ProgressDisplay(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void progressed(Progress progress) {
        if (terminal.isInteractive()) {
            redraw(progress);
        } else {
            long now = System.nanoTime();
            if (now - lastLine >= NANOS_BETWEEN_LINES || progress.steps() == progress.totalSteps()) {
                lastLine = now;
                terminal.err().println(line(progress));
            }
        }
    }

    private void redraw(Progress progress) {
        if (bar == null) {
            bar = new ProgressBarBuilder()
                    .setTaskName("training")
                    .setInitialMax(progress.totalSteps())
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(MILLIS_BETWEEN_DRAWINGS)
                    .setEtaFunction(state -> Optional.empty())
                    .hideEta()
                    .setConsumer(new DelegatingProgressBarConsumer(this::overwriteLine, terminal.width() - 1))
                    .build();
        }
        bar.setExtraMessage(String.format(
                Locale.ROOT,
                " %,.0f steps/s, return %s, %s left",
                progress.stepsPerSecond(),
                Numbers.score(progress.meanReturn()),
                timeLeft(progress)));
        bar.stepTo(progress.steps());
    }

    private void overwriteLine(String line) {
        terminal.err().print('\r' + line);
        terminal.err().flush();
    }

    private static String line(Progress progress) {
        return String.format(
                Locale.ROOT,
                "%,12d / %,d steps   %,.0f steps/s   return %s   %s left",
                progress.steps(),
                progress.totalSteps(),
                progress.stepsPerSecond(),
                Numbers.score(progress.meanReturn()),
                timeLeft(progress));
    }

    private static String timeLeft(Progress progress) {
        double seconds = (progress.totalSteps() - progress.steps()) / progress.stepsPerSecond();
        return Numbers.duration(seconds);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            terminal.err().println();
        }
    }
}
