// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.rollout.PlaySettings.Overlap;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.EvaluationPlan;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.SavedRun;
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
            "  fovea train --steps 40960 --change 20480:learning_rate=1e-4",
            "  fovea train --set help                  every hyper-parameter and its default",
            "  fovea train --simulate --steps 500      the CUDA kernels, on a machine without a GPU"
        })
final class TrainCommand implements Callable<Integer> {
    static final int INTERRUPTED = 130;

    /** What to lower where memory does not suffice. */
    private static final String SIZES =
            "What decides is --envs and rollout_steps, then window, width and layers; more minibatches need less";

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

    @Option(
            names = "--change",
            paramLabel = "STEPS:KEY=VALUE",
            description =
                    "Once so many steps were taken, go on with another value of a hyper-parameter, or of steps, as"
                            + " --resume does; may be repeated. A run's config.yaml has those that it was resumed with.")
    private List<String> changes = List.of();

    @ArgGroup(validate = false, heading = "%nMore about the environment:%n")
    private EnvironmentOptions environmentOptions = new EnvironmentOptions();

    @ArgGroup(validate = false, heading = "%nHow it is evaluated, and what ends it early:%n")
    private TrainingEndOptions evaluationOptions = new TrainingEndOptions();

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

    /** Options about the run directory. */
    private static final class DirectoryOptions extends RunDirectoryOptions {
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
        PlannedChanges planned = PlannedChanges.of(changes, spec, 0);
        Path directory = place.newDirectory(spec, isFirst);
        return train(
                spec,
                settings,
                rank,
                Map.of(),
                plan(directory, options, planned),
                (backend, collective) -> Trainer.start(backend, spec, directory, play(), initial, collective));
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
        // Other ranks than groups are refused.
        ranks.groups(rank, spec.groups());
        return train(
                spec,
                settings,
                rank,
                Map.of("checkpoint", "that of step " + saved.steps()),
                plan(directory, options, PlannedChanges.of(changes, spec, saved.steps())),
                (backend, collective) -> Trainer.resume(backend, spec, saved, directory, play(), collective));
    }

    private TrainingPlan plan(Path directory, TrainingOptions options, PlannedChanges planned) {
        return new TrainingPlan(directory, options, play(), planned, place.resume, json);
    }

    /**
     * Trains a run, or the groups of it that are this process's.
     *
     * @param more that all ranks must have alike
     */
    private int train(
            RunSpec spec,
            Settings settings,
            Optional<RankSettings> rank,
            Map<String, String> more,
            TrainingPlan plan,
            MemberTraining.Start start)
            throws IOException {
        MemberTraining training = new MemberTraining(terminal, interruption, plan, run.steps);
        if (rank.isPresent() || spec.groups() > 1) {
            stepTimeout.apply(terminal, () -> checkpointLeft(plan.directory()));
            boolean isLaunched = System.getenv(RankLauncher.LAUNCHED) != null;
            int ranksHere = isLaunched ? rank.map(RankSettings::size).orElse(1) : 1;
            GroupTraining groups = new GroupTraining(rank, spec.groups(), terminal);
            return during(
                    plan.directory(),
                    () -> groups.run(
                            agreed(spec, more),
                            ranksHere,
                            share -> device.open(terminal, settings.backend(), share),
                            (backend, collective) -> training.train(backend, collective, start)));
        }
        try (Backend backend = device.open(terminal, settings.backend())) {
            stepTimeout.apply(terminal, () -> checkpointLeft(plan.directory()));
            return during(plan.directory(), () -> training.train(backend, Collective.single(), start));
        }
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

    private static String checkpointLeft(Path directory) {
        try {
            return Checkpoint.latest(directory).isPresent()
                    ? "The last good checkpoint is in " + directory
                    : "There was no checkpoint yet";
        } catch (IOException e) {
            return "There was no checkpoint yet";
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
}
