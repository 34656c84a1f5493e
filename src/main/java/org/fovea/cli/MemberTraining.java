// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.fovea.backend.Backend;
import org.fovea.collective.Collective;
import org.fovea.env.Environments;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.TrainResult;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.run.TrainingOptions;
import org.jspecify.annotations.Nullable;

/** Trains a run as one of its members, of which most runs have one: by one setting after another; the first tells how it went. */
final class MemberTraining {
    private final Terminal terminal;
    private final Interruption interruption;
    private final TrainingPlan plan;
    private final @Nullable Long wantedSteps;
    private final long begin = System.nanoTime();

    /** @param wantedSteps that were asked for, null if none were */
    MemberTraining(Terminal terminal, Interruption interruption, TrainingPlan plan, @Nullable Long wantedSteps) {
        this.terminal = terminal;
        this.interruption = interruption;
        this.plan = plan;
        this.wantedSteps = wantedSteps;
    }

    /** Begins a run, or goes on with one. */
    interface Start {
        Trainer start(Backend backend, Collective collective) throws IOException;
    }

    /** Trains it to its end, and returns an exit code. */
    int train(Backend backend, Collective collective, Start start) throws IOException {
        Start next = start;
        for (PlannedChanges.Change change : plan.changes().inOrder()) {
            Integer code = train(backend, collective, next, change);
            if (code != null) {
                return code;
            }
            next = (device, members) -> plan.changes().resume(device, plan.directory(), change, plan.play(), members);
        }
        return Objects.requireNonNull(train(backend, collective, next, null));
    }

    /** With the time that is left of a limit. */
    private TrainingOptions inTime() {
        double left = plan.options().maxSeconds() - (System.nanoTime() - begin) * 1e-9;
        return plan.options().withMaxSeconds(Math.max(1e-3, left));
    }

    /**
     * Trains it until a change is due, or to its end.
     *
     * @return null if the change is due, else an exit code
     */
    private @Nullable Integer train(
            Backend backend, Collective collective, Start start, PlannedChanges.@Nullable Change change)
            throws IOException {
        TrainingOptions options = change == null ? inTime() : inTime().withLastStep(change.steps());
        Trainer trainer = UsageException.ifIllegal(() -> start.start(backend, collective));
        try {
            TrainResult result = collective.rank() == 0
                    ? train(trainer, options)
                    : trainer.run(options, progress -> {}, interruption::requested);
            boolean isDue = change != null
                    && result.training().steps() >= change.steps()
                    && result.training().end() != TrainResult.End.TARGET;
            // Told before environments are closed, which may take long.
            return isDue ? null : (Integer) report(result, collective);
        } finally {
            Failures.reportClosing(trainer::close, terminal);
        }
    }

    private TrainResult train(Trainer trainer, TrainingOptions options) {
        RunSpec spec = trainer.spec();
        if (plan.isResumed() && !trainer.resumesExactly()) {
            terminal.notices()
                    .println("not exact: " + spec.environment()
                            + " cannot save its state, so its episodes start afresh");
        }
        terminal.notices()
                .println("training " + spec.environment() + " with "
                        + spec.config().algorithm() + ", " + spec.policy() + " policy, "
                        + NumberFormats.count(trainer.parameterCount()) + " parameters, in " + plan.directory());
        TrainReport.printChanges(terminal.notices(), trainer.changes());
        long played = spec.iterations() * spec.stepsPerIteration();
        if (wantedSteps != null && played != wantedSteps) {
            terminal.notices()
                    .println("note: " + NumberFormats.count(wantedSteps) + " steps become "
                            + NumberFormats.count(played)
                            + ": a rollout is " + spec.environments() + " environments x "
                            + spec.config().rollout().rolloutSteps() + " steps (--envs, --set rollout_steps), and whole"
                            + " ones are played");
        }
        try (ProgressDisplay display = new ProgressDisplay(terminal, played)) {
            return trainer.run(options, display, interruption::requested);
        }
    }

    /** Returns the exit code. */
    private int report(TrainResult result, Collective collective) {
        if (collective.rank() == 0) {
            report(result);
        }
        return result.training().end() == TrainResult.End.INTERRUPTED ? TrainCommand.INTERRUPTED : 0;
    }

    private void report(TrainResult result) {
        PrintStream out = terminal.report(plan.json());
        TrainReport.print(out, result);
        if (!result.training().end().isEarly()) {
            EvaluationNotes.of(
                            result.evaluation(),
                            plan.options().finalEvaluation().eachOfTwo())
                    .forEach(note -> out.println("note: " + note));
        }
        TrainReport.notes(result).forEach(note -> out.println("note: " + note));
        Path directory = result.runDirectory();
        try {
            Optional<Path> picture = LearningCurve.draw(
                    directory,
                    result.spec().environment() + ", " + result.spec().config().algorithm() + ", "
                            + result.spec().policy() + " policy",
                    Environments.get(result.spec().environment()).comparisons());
            picture.ifPresent(path -> out.println("learning curve         " + path));
        } catch (IOException | RuntimeException | LinkageError | InternalError e) {
            // A machine without fonts cannot draw; the run is none the worse for it.
            terminal.notices().println("the learning curve could not be drawn, its numbers are in progress.csv: " + e);
        }
        if (result.training().end().isEarly()) {
            out.println("to go on:              fovea train --resume --out " + directory);
        }
        if (plan.json()) {
            terminal.out().println(TrainReport.json(result));
        }
    }
}
