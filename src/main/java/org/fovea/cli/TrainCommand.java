// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceException;
import org.fovea.backend.memory.OutOfDeviceMemoryException;
import org.fovea.collective.Collective;
import org.fovea.collective.CollectiveException;
import org.fovea.collective.RankSettings;
import org.fovea.env.EnvironmentException;
import org.fovea.env.Environments;
import org.fovea.io.Checkpoint;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.rollout.PlaySettings.Overlap;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.EvaluationPlan;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.TrainResult;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.run.TrainingOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a policy, or goes on with one. */
@Command(
        name = "train",
        sortOptions = false,
        abbreviateSynopsis = true,
        header = "Train a policy. Without options: an attention policy on a task that needs memory.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea train",
            "  fovea train --env CartPole-v1 --policy mlp --steps 100000 --seed 3",
            "  fovea train --env MemoryChain-v0:length=9 --set window=16 --set learning_rate=1e-3",
            "  fovea train --env Acrobot-v1 --algo trpo --policy mlp",
            "  fovea train --env gym:FrozenLake-v1 --env-arg map_name=8x8 --policy mlp",
            "  fovea train --out runs/mine --eval-every 10000 --target 475 --time-limit 10m",
            "  fovea train --out runs/mine --resume --steps 50000 --set learning_rate=1e-4",
            "  fovea train --config runs/mine/config.yaml --seed 2",
            "  fovea train --set help                  every hyper-parameter and its default",
            "  fovea train --simulate --steps 500      the CUDA kernels, on a machine without a GPU"
        })
final class TrainCommand implements Callable<Integer> {
    static final int INTERRUPTED = 130;

    /** What to lower where memory does not suffice. */
    private static final String SIZES =
            "What decides is --envs and rollout_steps, then window, width and layers; more minibatches need less";

    private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss-SSS");

    private final Terminal terminal;
    private final Interruption interruption;

    @ArgGroup(validate = false, heading = "%nWhat is trained:%n")
    private RunOptions run = new RunOptions();

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description =
                    "Options out of a YAML file, by their names without the dashes, and hyper-parameters under set. What is"
                            + " given here as well counts in place of it. Each run's own config.yaml repeats it.")
    private @Nullable Path config;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec command;

    @ArgGroup(validate = false, heading = "%nMore about the environment:%n")
    private EnvironmentOptions environmentOptions = new EnvironmentOptions();

    @ArgGroup(validate = false, heading = "%nHow it is evaluated, and what ends it early:%n")
    private EvaluationOptions evaluationOptions = new EvaluationOptions();

    @Option(
            names = "--init",
            paramLabel = "POLICY",
            description =
                    "Begin with a policy that is there: a file of fovea export --safetensors, or the directory of a run"
                            + " (its best: RUN_DIR/best). Its kind and network are taken over where not given.")
    private @Nullable Path init;

    @ArgGroup(validate = false, heading = "%nWhere the run is kept:%n")
    private DirectoryOptions place = new DirectoryOptions();

    @ArgGroup(validate = false, heading = "%nWhere it runs:%n")
    private BackendOptions device = new BackendOptions();

    @ArgGroup(validate = false, heading = "%nSeveral processes:%n")
    private RankOptions ranks = new RankOptions();

    @Mixin
    private StepTimeoutOption stepTimeout = new StepTimeoutOption();

    @Option(
            names = "--overlap",
            paramLabel = "WHEN",
            description =
                    "Let half of the environments step while the policy acts in the other half: on, off, or auto, where"
                            + " their steps take long enough (default: auto). Changes speed, never results.")
    private String overlap = "auto";

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    /** Options about evaluations, and what ends training early; null where not given. */
    private static final class EvaluationOptions {
        @Option(
                names = "--eval-every",
                paramLabel = "STEPS",
                description =
                        "Evaluate greedily whenever so many steps were taken, and keep the best policy (fovea eval"
                                + " --best); 0 for never (default: 0). A resumed run keeps this, --eval-episodes and --target.")
        private @Nullable Long every;

        @Option(names = "--eval-episodes", paramLabel = "N", description = "Episodes of each of these (default: 20).")
        private @Nullable Integer periodicEpisodes;

        @Option(
                names = "--target",
                paramLabel = "RETURN",
                description = "End training when one of these has such a mean return (default: none).")
        private @Nullable Double target;

        @Option(
                names = "--time-limit",
                paramLabel = "TIME",
                description = "Stop after so many minutes, or after 90s, 10m, 1h30m; the run can be resumed (default:"
                        + " none).")
        private @Nullable String timeLimit;

        @Option(
                names = "--final-episodes",
                paramLabel = "N",
                description = "Episodes to play when training is done; 0 for none (default: 100).")
        private int episodes = EvaluationSettings.FINAL.episodes();

        @Option(
                names = "--final-seconds",
                paramLabel = "S",
                description = "Seconds after which those that have ended must do (default: 30).")
        private double seconds = EvaluationSettings.FINAL.maxSeconds();

        @Option(
                names = "--max-episode-steps",
                paramLabel = "N",
                description = "Steps after which an episode of the evaluation is cut (default: 10000).")
        private int maxSteps = EvaluationSettings.DEFAULT_MAX_STEPS;

        TrainingOptions options(EvaluationPlan before, Settings settings) {
            EvaluationPlan plan = UsageException.ifIllegal(() -> new EvaluationPlan(
                    every == null ? before.everySteps() : every,
                    periodicEpisodes == null ? before.episodes() : periodicEpisodes,
                    target == null ? before.target() : target));
            double limit =
                    timeLimit == null ? Double.POSITIVE_INFINITY : NumberFormats.seconds("--time-limit", timeLimit);
            return new TrainingOptions(evaluation(), plan, limit, settings.backend());
        }

        private EvaluationSettings evaluation() {
            if (episodes < 0) {
                throw new UsageException("--final-episodes must be at least 0, got " + episodes);
            }
            if (!(seconds > 0)) {
                throw new UsageException("--final-seconds must be greater than 0, got " + seconds);
            }
            if (maxSteps < 1) {
                throw new UsageException("--max-episode-steps must be at least 1, got " + maxSteps);
            }
            return new EvaluationSettings(episodes, EvaluationSettings.DEFAULT_SEED, maxSteps, seconds);
        }
    }

    /** Options about the run directory. */
    private static final class DirectoryOptions {
        @Option(names = "--out", paramLabel = "DIR", description = "Run directory (default: a new one under runs/).")
        private @Nullable Path directory;

        @Option(names = "--overwrite", description = "Replace the run that --out holds.")
        private boolean overwrite;

        @Option(
                names = "--resume",
                description = "Go on with the run that --out holds, perhaps with other --steps or --set.")
        private boolean resume;
    }

    TrainCommand(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    @Override
    public Integer call() throws IOException {
        if (config != null) {
            return Fovea.run(terminal, interruption, ConfigArguments.of(config, command));
        }
        Settings settings = Settings.ofTraining(run.settings);
        Optional<RankSettings> rank = RankOptions.settings(System.getenv());
        int toLaunch = ranks.toLaunch(rank);
        if (toLaunch > 0 && !settings.isHelp()) {
            return new RankLauncher(terminal, interruption).run(toLaunch, allArguments());
        }
        if (rank.isPresent() && rank.get().rank() > 0) {
            // What there is to say says the first.
            terminal.beQuiet();
        }
        TrainingOptions options = evaluationOptions.options(EvaluationPlan.NONE, settings);
        environmentOptions.apply();
        play();
        // Asking for the spaces may start an environment already.
        stepTimeout.apply(terminal, () -> "There was no checkpoint yet");
        if (place.resume && init != null) {
            throw new UsageException(
                    "--resume goes on with a policy, --init begins with one: leave one of the two out");
        }
        if (place.resume && !settings.isHelp()) {
            return resume(settings, rank);
        }
        String environment = run.environment(environmentOptions);
        try {
            return settings.isHelp() ? help(environment) : start(environment, settings, options, rank);
        } finally {
            // Asking for the defaults may make an environment, which is then the run's, if that comes about.
            Environments.get(environment).closeUnused();
        }
    }

    private PlaySettings play() {
        return new PlaySettings(environmentOptions.environmentThreads(0), overlapKind(), environmentOptions.place());
    }

    private Overlap overlapKind() {
        for (Overlap kind : Overlap.values()) {
            if (kind.name().toLowerCase(Locale.ROOT).equals(overlap)) {
                return kind;
            }
        }
        throw new UsageException("--overlap must be on, off or auto, got " + overlap);
    }

    private int help(String environment) {
        SettingsHelp.print(terminal, Defaults.of(environment, run.algorithmKind(), run.policyKind()));
        return 0;
    }

    /** As they were given, of the whole program. */
    private List<String> allArguments() {
        return command.root().commandLine().getParseResult().originalArgs();
    }

    private int start(String environment, Settings settings, TrainingOptions options, Optional<RankSettings> rank)
            throws IOException {
        InitialPolicy initial = init == null ? null : InitialPolicy.load(init);
        if (initial != null && run.policy == null) {
            run.policy = initial.policy().kind().toString();
        }
        Map<String, String> hyperparameters =
                initial == null ? settings.hyperparameters() : initial.hyperparameters(settings.hyperparameters());
        int groups = ranks.groups(rank);
        RunSpec spec = UsageException.ifIllegal(() -> spec(environment, hyperparameters, groups));
        boolean isFirst = rank.isEmpty() || rank.get().rank() == 0;
        Path directory = newDirectory(place.directory, place.overwrite || !isFirst, spec);
        if (rank.isPresent() || groups > 1) {
            return trainInGroups(
                    spec,
                    settings,
                    rank,
                    Map.of(),
                    directory,
                    options,
                    (backend, collective) -> Trainer.start(backend, spec, directory, play(), initial, collective));
        }
        try (Backend backend = device.open(terminal, settings.backend())) {
            return train(
                    () -> initial == null
                            ? Trainer.start(backend, spec, directory, play())
                            : Trainer.start(backend, spec, directory, play(), initial),
                    directory,
                    options);
        }
    }

    private int resume(Settings settings, Optional<RankSettings> rank) throws IOException {
        Path directory = place.directory;
        if (directory == null) {
            throw new UsageException("--resume needs --out RUN_DIR, the run to go on with");
        }
        if (place.overwrite) {
            throw new UsageException("--resume and --overwrite exclude each other");
        }
        if (!Files.isDirectory(directory)) {
            throw new UsageException("nothing to resume: there is no directory " + directory);
        }
        SavedRun saved = SavedRun.load(directory);
        RunSpec spec = UsageException.ifIllegal(() -> continued(saved, settings.hyperparameters()));
        if (saved.startsEpisodesAfresh(spec)) {
            terminal.notices().println("burn_in is another than before, so all episodes start afresh");
        }
        TrainingOptions options = evaluationOptions.options(saved.evaluations(), settings);
        int groups = ranks.groups(rank, spec.groups());
        if (rank.isPresent() || groups > 1) {
            return trainInGroups(
                    spec,
                    settings,
                    rank,
                    Map.of("checkpoint", "that of step " + saved.steps()),
                    directory,
                    options,
                    (backend, collective) -> Trainer.resume(backend, spec, saved, directory, play(), collective));
        }
        try (Backend backend = device.open(terminal, settings.backend())) {
            return train(() -> Trainer.resume(backend, spec, saved, directory, play()), directory, options);
        }
    }

    /** Starts one of the members of a run. */
    private interface MemberStart {
        Trainer start(Backend backend, Collective collective) throws IOException;
    }

    /** @param more that all ranks must have alike */
    private int trainInGroups(
            RunSpec spec,
            Settings settings,
            Optional<RankSettings> rank,
            Map<String, String> more,
            Path directory,
            TrainingOptions options,
            MemberStart start)
            throws IOException {
        stepTimeout.apply(terminal, () -> checkpointLeft(directory));
        boolean isLaunched = System.getenv(RankLauncher.LAUNCHED) != null;
        int ranksHere = isLaunched ? rank.map(RankSettings::size).orElse(1) : 1;
        GroupTraining training = new GroupTraining(rank, spec.groups(), terminal);
        return during(
                directory,
                () -> training.run(
                        agreed(spec, more),
                        ranksHere,
                        share -> device.open(terminal, settings.backend(), share),
                        (backend, collective) -> {
                            Trainer trainer = UsageException.ifIllegal(() -> start.start(backend, collective));
                            try {
                                return collective.rank() == 0
                                        ? train(trainer, directory, options)
                                        : follow(trainer, options);
                            } finally {
                                Failures.reportClosing(trainer::close, terminal);
                            }
                        }));
    }

    /** As one of several, of which another tells how it went. */
    private int follow(Trainer trainer, TrainingOptions options) {
        TrainResult result = trainer.run(options, progress -> {}, interruption::requested);
        return result.training().end() == TrainResult.End.INTERRUPTED ? INTERRUPTED : 0;
    }

    /** What must be the same for all ranks, by a name for messages. */
    private static Map<String, String> agreed(RunSpec spec, Map<String, String> more) {
        Map<String, String> agreed = new LinkedHashMap<>();
        agreed.put(
                "version",
                Optional.ofNullable(Fovea.class.getPackage().getImplementationVersion())
                        .orElse("unknown"));
        spec.save().forEach((key, value) -> agreed.put(key.replaceFirst("^config\\.", ""), value));
        agreed.putAll(more);
        return agreed;
    }

    private int train(UsageException.Attempt<Trainer, IOException> start, Path directory, TrainingOptions options)
            throws IOException {
        stepTimeout.apply(terminal, () -> checkpointLeft(directory));
        return during(directory, () -> {
            Trainer trainer = UsageException.ifIllegal(start);
            try {
                return train(trainer, directory, options);
            } finally {
                Failures.reportClosing(trainer::close, terminal);
            }
        });
    }

    /** Does what may be interrupted, or fail for reasons that are known. */
    private int during(Path directory, Interruption.Task<IOException> task) throws IOException {
        return interruption.during("training", () -> checkpointLeft(directory), () -> {
            try {
                return task.run();
            } catch (CollectiveException e) {
                throw new FailedException(e.getMessage() + ". " + checkpointLeft(directory), e);
            } catch (NonFiniteException | EnvironmentException | DeviceException e) {
                String advice = e instanceof OutOfDeviceMemoryException ? ". " + SIZES : "";
                throw new FailedException(e.getMessage() + advice + ". " + checkpointLeft(directory), e);
            } catch (OutOfMemoryError e) {
                throw new FailedException(Failures.outOfMemory() + ". " + SIZES + ". " + checkpointLeft(directory), e);
            }
        });
    }

    private int train(Trainer trainer, Path directory, TrainingOptions options) {
        RunSpec spec = trainer.spec();
        if (place.resume && !trainer.resumesExactly()) {
            terminal.notices()
                    .println("not exact: " + spec.environment()
                            + " cannot save its state, so its episodes start afresh");
        }
        terminal.notices()
                .println("training " + spec.environment() + " with "
                        + spec.config().algorithm() + ", " + spec.policy() + " policy, "
                        + NumberFormats.count(trainer.parameterCount()) + " parameters, in " + directory);
        TrainReport.printChanges(terminal.notices(), trainer.changes());
        long played = spec.iterations() * spec.stepsPerIteration();
        if (run.steps != null && played != run.steps) {
            terminal.notices()
                    .println("note: " + NumberFormats.count(run.steps) + " steps become " + NumberFormats.count(played)
                            + ": a rollout is " + spec.environments() + " environments x "
                            + spec.config().rollout().rolloutSteps() + " steps (--envs, --set rollout_steps), and whole"
                            + " ones are played");
        }
        TrainResult result;
        try (ProgressDisplay display = new ProgressDisplay(terminal, played)) {
            result = trainer.run(options, display, interruption::requested);
        }
        report(result, options.finalEvaluation());
        return result.training().end() == TrainResult.End.INTERRUPTED ? INTERRUPTED : 0;
    }

    private static String checkpointLeft(Path directory) {
        try {
            return Checkpoint.latest(directory).isPresent()
                    ? "The last good checkpoint is in " + directory
                    : "There was no checkpoint yet";
        } catch (IOException e) {
            return "There was no checkpoint yet";
        }
    }

    private void report(TrainResult result, EvaluationSettings evaluation) {
        PrintStream out = terminal.report(json);
        TrainReport.print(out, result);
        if (!result.training().end().isEarly()) {
            EvaluationNotes.of(result.evaluation(), evaluation.eachOfTwo())
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
        if (json) {
            terminal.out().println(TrainReport.json(result));
        }
    }

    private RunSpec spec(String environment, Map<String, String> hyperparameters, int groups) {
        RunSpec given = run.spec(environment, hyperparameters).withGroups(groups);
        RunSpec fitted = Defaults.fitMinibatches(given, hyperparameters.keySet());
        if (!fitted.equals(given)) {
            String setting = given.config().minibatchSetting();
            terminal.notices()
                    .println(setting + " is " + fitted.config().asMap().get(setting) + ", not "
                            + given.config().asMap().get(setting) + ", the default: a rollout of "
                            + given.environments() + (given.environments() == 1 ? " environment" : " environments")
                            + (groups == 1 ? "" : " in " + groups + " groups") + " has no more parts");
        }
        return fitted;
    }

    /** The saved run with other steps or hyper-parameters; what decides who plays must be as it was. */
    private RunSpec continued(SavedRun saved, Map<String, String> hyperparameters) {
        RunSpec before = saved.spec();
        refuseChange("--env", environmentOptions.name(run.environment), before.environment());
        refuseChange("--algo", run.algorithm, before.config().algorithm());
        refuseChange("--policy", run.policy, before.policy().toString());
        refuseChange("--envs", run.environments, before.environments());
        refuseChange("--seed", run.seed, before.seed());
        return saved.specWith(run.steps, hyperparameters);
    }

    private static void refuseChange(String option, @Nullable Object given, @Nullable Object saved) {
        if (given != null && !given.equals(saved)) {
            throw new UsageException("a resumed run can change --steps and most of --set, but " + option + " is "
                    + saved + " there, not " + given + "; start a new run for it, in another --out");
        }
    }

    /** The directory of a new run: the one that was given, or one named by what is trained and the time. */
    static Path newDirectory(@Nullable Path given, boolean overwrite, RunSpec spec) {
        if (given == null) {
            String name = spec.environment().replaceAll("[^A-Za-z0-9._-]+", "-") + "-" + spec.policy() + "-seed"
                    + spec.seed() + "-" + TIMESTAMP.format(LocalDateTime.now(ZoneId.systemDefault()));
            return Path.of("runs", name);
        }
        if (Files.exists(given) && !overwrite) {
            throw new UsageException(given + " exists; --resume goes on with the run in it, --overwrite replaces it");
        }
        return given;
    }
}
