// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.collective.Collective;
import org.fovea.rl.evaluation.Evaluation;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.rollout.StepCost;
import org.fovea.rl.rollout.StopSignal;
import org.jspecify.annotations.Nullable;

/**
 * One training run: play a rollout, learn from it, write down how it went, again and again.
 *
 * <p>The outcome is a function of the {@link RunSpec} and the kind of device: the same on any number of threads, and the
 * same whether or not the run was stopped and resumed on the way (unless the environment cannot save its state). Where environments are
 * in groups, each is played and learned from by a member of the run, with a trainer of its own; all of them come to the same policy.
 */
public final class Trainer implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(Trainer.class.getName());

    private static final long CHECKPOINT_INTERVAL_NANOS = 5_000_000_000L;

    /** After an iteration that took longer, a checkpoint is written in any case: the next may be abandoned. */
    private static final long LONG_ITERATION_NANOS = 1_000_000_000L;

    private final Backend backend;
    private final Path runDirectory;
    private final TrainingState state;
    private final Collective collective;

    /** What the first member alone has: the run's directory, and the tables there. */
    private final @Nullable RunLock lock;

    private final @Nullable TrainingLog log;
    private final @Nullable TensorBoardLog events;

    private long collectNanos;
    private long loggedCollectNanos;
    private double loggedEnvironmentNanos;

    /** When the last iteration ended, 0 before the first. */
    private long loggedAt;

    private long sessionSteps;
    private final List<SettingChange> changes;
    private EvaluationPlan plan;
    private UpdateStatistics lastUpdate = UpdateStatistics.NONE;

    /** Iterations done at the last checkpoint, -1 before the first. */
    private long savedIteration;

    private Trainer(
            Backend backend,
            Path runDirectory,
            TrainingState state,
            @Nullable RunLock lock,
            EvaluationPlan plan,
            List<SettingChange> changes) {
        this.backend = backend;
        this.runDirectory = runDirectory;
        this.state = state;
        this.lock = lock;
        this.plan = plan;
        this.changes = List.copyOf(changes);
        this.collective = state.collective();
        this.log = isFirst() ? TrainingLog.open(runDirectory, state.iteration()) : null;
        this.events = isFirst() ? TensorBoardLog.open(runDirectory, state) : null;
        this.savedIteration = state.iteration() == 0 ? -1 : state.iteration();
    }

    /** {@link #start(Backend, RunSpec, Path, PlaySettings)} with the usual settings. */
    public static Trainer start(Backend backend, RunSpec spec, Path runDirectory) {
        return start(backend, spec, runDirectory, PlaySettings.DEFAULT);
    }

    /**
     * Starts a run.
     *
     * @param runDirectory made if it does not exist; what it holds of another run is replaced
     * @throws RunInUseException if another process is training there
     */
    public static Trainer start(Backend backend, RunSpec spec, Path runDirectory, PlaySettings play) {
        try {
            return begin(backend, spec, runDirectory, play, null, Collective.single());
        } catch (IOException e) {
            throw new UncheckedIOException("the run cannot begin", e);
        }
    }

    /** What a new policy begins with in place of random parameters. */
    @FunctionalInterface
    public interface Beginning {
        /** Changes the parameters of a policy, and the moments of its observations. */
        void apply(Agent agent) throws IOException;
    }

    /**
     * Starts a run with a policy that is there, which is kept in {@value RunFiles#INITIAL}. Where that fails nothing is begun: what the
     * directory holds stays.
     *
     * @param runDirectory made if it does not exist; what it holds of another run is replaced
     * @throws RunInUseException if another process is training there
     */
    public static Trainer start(
            Backend backend, RunSpec spec, Path runDirectory, PlaySettings play, Beginning beginning)
            throws IOException {
        return begin(backend, spec, runDirectory, play, beginning, Collective.single());
    }

    /**
     * Starts a run as one of its members, all of which do the same; the first keeps the directory.
     *
     * @param beginning null for random parameters
     * @param collective the members, one for each group of environments
     */
    public static Trainer start(
            Backend backend,
            RunSpec spec,
            Path runDirectory,
            PlaySettings play,
            @Nullable Beginning beginning,
            Collective collective)
            throws IOException {
        return begin(backend, spec, runDirectory, play, beginning, collective);
    }

    private static Trainer begin(
            Backend backend,
            RunSpec spec,
            Path runDirectory,
            PlaySettings play,
            @Nullable Beginning beginning,
            Collective collective)
            throws IOException {
        TrainingState state = TrainingState.create(backend, spec, play, collective);
        try {
            if (beginning != null) {
                beginning.apply(state.agent());
            }
        } catch (IOException | RuntimeException | Error e) {
            try (state) {
                throw e;
            }
        }
        RunLock lock = lock(state, runDirectory);
        try {
            if (lock != null) {
                RunFiles.prepare(runDirectory);
            }
            if (beginning != null && lock != null) {
                AlgorithmConfig config = spec.config();
                SavedPolicy.of(
                                state.agent(),
                                config.network(),
                                config.valueApart(),
                                config.rollout().rolloutSteps(),
                                Map.of("environment", spec.environment()))
                        .write(runDirectory.resolve(RunFiles.INITIAL));
            }
            state.collector().reset();
            Trainer trainer = new Trainer(backend, runDirectory, state, lock, EvaluationPlan.NONE, List.of());
            if (trainer.events != null) {
                trainer.events.configuration();
            }
            return trainer;
        } catch (IOException | RuntimeException | Error e) {
            try (state;
                    lock) {
                throw e;
            }
        }
    }

    /** {@link #resume(Backend, RunSpec, SavedRun, Path, PlaySettings)} with the usual settings. */
    public static Trainer resume(Backend backend, RunSpec spec, SavedRun saved, Path runDirectory) throws IOException {
        return resume(backend, spec, saved, runDirectory, PlaySettings.DEFAULT);
    }

    /**
     * Goes on from the newest checkpoint of a run. What differs from it is kept with the run, in a checkpoint that is written at
     * once.
     *
     * @param spec what {@link SavedRun#spec} or {@link SavedRun#specWith} of the run says
     * @throws IllegalArgumentException if it differs in what a run cannot change
     */
    public static Trainer resume(Backend backend, RunSpec spec, SavedRun saved, Path runDirectory, PlaySettings play)
            throws IOException {
        return resume(backend, spec, saved, runDirectory, play, Collective.single());
    }

    /**
     * The same as one of the run's members, all of which do so: wherever they were before, the run goes on as it would have.
     *
     * @param collective the members, one for each group of environments
     */
    public static Trainer resume(
            Backend backend, RunSpec spec, SavedRun saved, Path runDirectory, PlaySettings play, Collective collective)
            throws IOException {
        List<SettingChange> changes = new ArrayList<>(saved.changes());
        boolean isChanged = changes.addAll(SettingChange.between(saved.spec(), spec, saved.steps()));
        TrainingState state = TrainingState.create(backend, spec, play, collective);
        RunLock lock = lock(state, runDirectory);
        try {
            saved.restore(state);
            Trainer trainer = new Trainer(backend, runDirectory, state, lock, saved.evaluations(), changes);
            if (isChanged) {
                if (trainer.events != null) {
                    trainer.events.configuration();
                }
                trainer.checkpoint();
            }
            return trainer;
        } catch (IOException | RuntimeException | Error e) {
            try (state;
                    lock) {
                throw e;
            }
        }
    }

    /** Null for any but the first member. */
    private static @Nullable RunLock lock(TrainingState state, Path runDirectory) {
        if (state.collective().rank() > 0) {
            return null;
        }
        try {
            return RunLock.take(runDirectory);
        } catch (RuntimeException e) {
            try (state) {
                throw e;
            }
        }
    }

    private boolean isFirst() {
        return collective.rank() == 0;
    }

    /** Whether a resumed run ends exactly as it would have without the interruption. */
    public boolean resumesExactly() {
        return state.collector().resumesExactly();
    }

    /** What is trained. */
    public RunSpec spec() {
        return state.spec();
    }

    /** What was changed when it was resumed, this time included, in order. */
    public List<SettingChange> changes() {
        return changes;
    }

    /** Number of trained numbers. */
    public long parameterCount() {
        return state.agent().parameters().count();
    }

    /** {@link #run(TrainingOptions, Progress.Listener, BooleanSupplier)} with the usual evaluation. */
    public TrainResult run(Progress.Listener listener, BooleanSupplier stop) {
        return run(TrainingOptions.DEFAULT, listener, stop);
    }

    /**
     * Trains to the end of the run, its target or its time limit, or until {@code stopRequest} is true, and then evaluates the
     * policy, unless there is more to train. A checkpoint is left either way, of the last iteration that is complete: one that
     * does not end within two seconds of the request or the limit is abandoned.
     */
    public TrainResult run(TrainingOptions options, Progress.Listener listener, BooleanSupplier stopRequest) {
        long start = System.nanoTime();
        try {
            if (!isFirst()) {
                return run(start, options, listener, stopRequest);
            }
            ConfigFile.write(runDirectory, spec(), options, changes, backend.description());
            RunOutcome.delete(runDirectory);
            TrainResult result = run(start, options, listener, stopRequest);
            RunOutcome.of(result).write(runDirectory);
            return result;
        } catch (IOException e) {
            throw new UncheckedIOException("the run cannot go on", e);
        } catch (RuntimeException | Error failure) {
            if (!isFirst()) {
                throw failure;
            }
            try {
                long steps = Math.max(0, savedIteration) * spec().stepsPerIteration();
                RunOutcome.failed(failure, steps, (System.nanoTime() - start) * 1e-9, backend.name())
                        .write(runDirectory);
            } catch (IOException | RuntimeException unwritten) {
                failure.addSuppressed(unwritten);
            }
            throw failure;
        }
    }

    private TrainResult run(
            long start, TrainingOptions options, Progress.Listener listener, BooleanSupplier stopRequest) {
        long deadlineNanos = (long) Math.min(options.maxSeconds() * 1e9, Long.MAX_VALUE / 2.0);
        BooleanSupplier stop = () -> stopRequest.getAsBoolean() || System.nanoTime() - start > deadlineNanos;
        plan = options.evaluations();
        TrainResult.Training training;
        TrainResult.Best best;
        int maxSteps = options.finalEvaluation().maxSteps();
        try (PeriodicEvaluation evaluations = PeriodicEvaluation.open(plan, maxSteps, state, runDirectory, events)) {
            long kept = train(evaluations, listener, stop, start, options.lastStep());
            boolean isEarly = kept < spec().iterations() || options.lastStep() <= kept * spec().stepsPerIteration();
            TrainResult.End end = evaluations.targetReached()
                    ? TrainResult.End.TARGET
                    : !isEarly
                            ? TrainResult.End.COMPLETE
                            : stopRequest.getAsBoolean() ? TrainResult.End.INTERRUPTED : TrainResult.End.TIME_LIMIT;
            training = training(kept, (System.nanoTime() - start) * 1e-9, evaluations.nanos() * 1e-9, end);
            best = evaluations.best();
            if (events != null && plan.everySteps() == 0 && !end.isEarly()) {
                events.attention(plan.settings(maxSteps).seed(), stopRequest);
            }
        }
        listener.trained();
        EvaluationSettings greedy = options.finalEvaluation().eachOfTwo();
        EvaluationSettings sampled = greedy.withSampledActions();
        boolean isEarly = training.end().isEarly();
        return new TrainResult(
                spec(),
                changes,
                backend.name(),
                runDirectory,
                training,
                new TrainResult.Model(
                        parameterCount(),
                        state.agent().network().flopsPerStep(),
                        state.agent().distribution().maxEntropy()),
                best,
                lastUpdate,
                isEarly ? notPlayed(greedy) : evaluate(greedy, listener, stopRequest),
                isEarly ? notPlayed(sampled) : evaluate(sampled, listener, stopRequest));
    }

    /** Iterates as long as it may; returns the iterations of the checkpoint that it leaves. */
    private long train(
            PeriodicEvaluation evaluations,
            Progress.Listener listener,
            BooleanSupplier stopRequest,
            long start,
            long lastStep) {
        RunSpec spec = state.spec();
        long last = Math.min(spec.iterations(), lastStep / spec.stepsPerIteration());
        long firstStep = state.iteration() * spec.stepsPerIteration();
        StopSignal stop =
                new StopSignal(stopRequest, played -> listener.playing(firstStep + played * collective.size()));
        long lastCheckpoint = start;
        // One that was stopped together with the run is made up for.
        evaluate(evaluations, listener, stop);
        while (state.iteration() < last && !evaluations.targetReached() && !any(stop.requested())) {
            long iterationStart = System.nanoTime();
            UpdateStatistics update = iterate(stop);
            if (update == null) {
                // The environments are not where this iteration's start left them, and the last checkpoint is.
                return Math.max(0, savedIteration);
            }
            lastUpdate = update;
            long now = System.nanoTime();
            boolean isLong = now - iterationStart > LONG_ITERATION_NANOS;
            double seconds = (now - start - evaluations.nanos()) * 1e-9;
            Progress progress = progress(seconds, evaluations.last());
            if (log != null && events != null) {
                log.append(progress, lastUpdate, times(iterationStart, now));
                events.append(progress, lastUpdate);
            }
            evaluate(evaluations, listener, stop);
            boolean isDue = isLong || System.nanoTime() - lastCheckpoint > CHECKPOINT_INTERVAL_NANOS;
            // All or none of the members save what they have, whatever their clocks say.
            if (savedIteration < 0 || (savedIteration != state.iteration() && any(isDue))) {
                checkpoint();
                lastCheckpoint = System.nanoTime();
            }
            listener.progressed(progress(seconds, evaluations.last()));
        }
        if (savedIteration != state.iteration()) {
            checkpoint();
        }
        return state.iteration();
    }

    /** Whether {@code own} is true for any of the members. */
    private boolean any(boolean own) {
        if (collective.size() == 1) {
            return own;
        }
        boolean any = false;
        for (byte[] ofMember : collective.gather(new byte[] {(byte) (own ? 1 : 0)})) {
            any |= ofMember[0] != 0;
        }
        return any;
    }

    /** Plays what evaluation is due. One that is the best leaves two checkpoints, so that no resumed run is behind its best. */
    private void evaluate(PeriodicEvaluation evaluations, Progress.Listener listener, StopSignal stop) {
        if (evaluations.isDue() && evaluations.play(listener, stop::requested)) {
            if (savedIteration != state.iteration()) {
                checkpoint();
            }
            try {
                evaluations.keepBest(metadata());
            } catch (IOException e) {
                throw new UncheckedIOException("the best policy cannot be kept", e);
            }
        }
    }

    /** What took how long since the iteration before. */
    private TrainingLog.Times times(long iterationStart, long now) {
        double ofEnvironments = collectNanos * state.collector().environmentShare();
        double environment = ofEnvironments - loggedEnvironmentNanos;
        double collect = collectNanos - loggedCollectNanos;
        double idle = loggedAt == 0 ? 0 : iterationStart - loggedAt;
        loggedEnvironmentNanos = ofEnvironments;
        loggedCollectNanos = collectNanos;
        loggedAt = now;
        return new TrainingLog.Times(
                environment * 1e-9,
                (collect - environment) * 1e-9,
                (now - iterationStart - collect) * 1e-9,
                idle * 1e-9);
    }

    private Progress progress(double seconds, double evaluated) {
        RunSpec spec = state.spec();
        return new Progress(
                state.iteration(),
                state.iteration() * spec.stepsPerIteration(),
                spec.iterations() * spec.stepsPerIteration(),
                throughput(seconds),
                state.collector().episodes().statistics(),
                evaluated);
    }

    private TrainResult.Training training(long iterations, double seconds, double evaluating, TrainResult.End end) {
        return new TrainResult.Training(
                iterations * spec().stepsPerIteration(),
                seconds,
                throughput(seconds - evaluating),
                state.collector().episodes().statistics(),
                end);
    }

    /** @param seconds of this process without evaluations */
    private Throughput throughput(double seconds) {
        double playing = sessionSteps / (collectNanos * 1e-9);
        return new Throughput(playing / state.collector().environmentShare(), playing, sessionSteps / seconds);
    }

    /** What steps cost besides the environments' own work. */
    public StepCost stepCost() {
        return state.collector().stepCost();
    }

    /** One rollout and what is learned from it. */
    public UpdateStatistics iterate() {
        return Objects.requireNonNull(iterate(new StopSignal(() -> false)));
    }

    /** The same, or null if it was abandoned. */
    private @Nullable UpdateStatistics iterate(StopSignal stop) {
        RunSpec spec = state.spec();
        long iteration = state.iteration();
        long start = System.nanoTime();
        if (!state.collect(stop)) {
            return null;
        }
        collectNanos += System.nanoTime() - start;
        double progress = (double) iteration / spec.iterations();
        UpdateStatistics update = state.learner()
                .update(progress, spec.seed(), iteration, (iteration + 1) * spec.stepsPerIteration())
                .withExplainedVariance(state.explainedVariance());
        state.advance();
        sessionSteps += spec.stepsPerIteration();
        return update;
    }

    private Map<String, String> metadata() {
        Map<String, String> metadata = new LinkedHashMap<>(plan.save());
        metadata.putAll(SettingChange.save(changes));
        return metadata;
    }

    private void checkpoint() {
        long start = System.nanoTime();
        try {
            SavedRun.save(state, runDirectory, metadata());
        } catch (IOException e) {
            throw new UncheckedIOException("the run cannot go on", e);
        }
        savedIteration = state.iteration();
        LOGGER.log(
                Level.DEBUG,
                () -> "checkpoint after iteration " + savedIteration + ", written in "
                        + (System.nanoTime() - start) / 1_000_000 + " ms");
    }

    private static EvaluationResult notPlayed(EvaluationSettings settings) {
        return EvaluationResult.none(settings.episodes(), EvaluationResult.End.STOPPED);
    }

    private EvaluationResult evaluate(
            EvaluationSettings settings, Progress.Listener listener, BooleanSupplier stopRequest) {
        return Evaluation.play(
                state.agent(),
                state.collector().environments(),
                spec().environments(),
                spec().config().rollout().rolloutSteps(),
                settings,
                listener,
                stopRequest,
                collective);
    }

    TrainingState state() {
        return state;
    }

    @Override
    public void close() {
        // Each is closed even if another fails to: a directory must not stay locked.
        try (lock;
                state;
                events;
                log) {
            // In this order, the last first.
        }
    }
}
