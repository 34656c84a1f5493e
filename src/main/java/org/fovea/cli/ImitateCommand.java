// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.fovea.backend.Backend;
import org.fovea.env.Environments;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.evaluation.Evaluation;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.imitation.Imitation;
import org.fovea.rl.imitation.ImitationResult;
import org.fovea.rl.imitation.ImitationSettings;
import org.fovea.rl.imitation.Recording;
import org.fovea.rl.imitation.RecordingException;
import org.fovea.rl.imitation.Recordings;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.TrainedPolicy;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.run.TrainingOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Starts a run with a policy that acts as recorded episodes do. */
@Command(
        name = "imitate",
        sortOptions = false,
        abbreviateSynopsis = true,
        header = "Make a policy that acts as recorded episodes do, to be used or trained further.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea imitate --data episodes.jsonl --env CartPole-v1 --policy mlp --out runs/clone",
            "  fovea train --resume --out runs/clone      goes on by reinforcement"
        })
final class ImitateCommand implements Callable<Integer> {
    private final Terminal terminal;
    private final Interruption interruption;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            required = true,
            description = "Recorded episodes, .jsonl or .npz: docs/policy.md.")
    @SuppressWarnings("NullAway.Init")
    private Path data;

    @Option(names = "--epochs", paramLabel = "N", description = "Times through all of it, at most (default: 100).")
    private int epochs = ImitationSettings.DEFAULT.epochs();

    @Option(
            names = "--patience",
            paramLabel = "N",
            description = "Epochs after which it ends if what was held out has not become more likely (default: 5).")
    private int patience = ImitationSettings.DEFAULT.patience();

    @Option(
            names = "--held-out",
            paramLabel = "SHARE",
            description = "Of the episodes, not learned from but to tell when to stop; 0 for none (default: 0.1).")
    private double heldOut = ImitationSettings.DEFAULT.heldOut();

    @Option(names = "--learning-rate", paramLabel = "RATE", description = "While imitating (default: 0.001).")
    private double learningRate = ImitationSettings.DEFAULT.learningRate();

    @Option(
            names = "--final-episodes",
            paramLabel = "N",
            description = "Episodes to play in the environment when that is done; 0 for none (default: 100).")
    private int episodes = EvaluationSettings.FINAL.episodes();

    @ArgGroup(validate = false, heading = "%nThe policy, and how it would be trained further:%n")
    private RunOptions run = new RunOptions();

    @ArgGroup(validate = false, heading = "%nMore about the environment:%n")
    private EnvironmentOptions environmentOptions = new EnvironmentOptions();

    @ArgGroup(validate = false, heading = "%nWhere the run is kept:%n")
    private RunDirectoryOptions place = new RunDirectoryOptions();

    @ArgGroup(validate = false, heading = "%nWhere it runs:%n")
    private BackendOptions device = new BackendOptions();

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    ImitateCommand(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    @Override
    public Integer call() throws IOException {
        Settings settings = Settings.ofTraining(run.settings);
        environmentOptions.apply();
        String environment = run.environment(environmentOptions);
        if (settings.isHelp()) {
            SettingsHelp.print(terminal, Defaults.of(environment, run.algorithmKind(), run.policyKind()));
            return 0;
        }
        if (run.environment == null) {
            throw new UsageException("--env says in which environment the episodes were recorded, and is needed");
        }
        if (!Files.isRegularFile(data)) {
            throw new UsageException("there is no file " + data);
        }
        if (episodes < 0) {
            throw new UsageException("--final-episodes must be at least 0, got " + episodes);
        }
        try {
            return imitate(environment, settings);
        } catch (RecordingException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        } finally {
            Environments.get(environment).closeUnused();
        }
    }

    private int imitate(String environment, Settings settings) throws IOException {
        RunSpec spec = UsageException.ifIllegal(() -> Defaults.fitMinibatches(
                run.spec(environment, settings.hyperparameters()),
                settings.hyperparameters().keySet()));
        ImitationSettings how = UsageException.ifIllegal(
                () -> new ImitationSettings(epochs, patience, heldOut, learningRate, spec.seed()));
        Path directory = place.newDirectory(spec);
        Recording recording =
                Recordings.read(data, Environments.get(environment).spaces());
        try (Backend backend = device.open(terminal, settings.backend())) {
            return interruption.during("imitation", () -> "No run was begun", () -> {
                Learned learned = new Learned(recording, how, spec);
                Trainer trainer = UsageException.ifIllegal(
                        () -> Trainer.start(backend, spec, directory, PlaySettings.DEFAULT, learned));
                try {
                    // Of no steps: it leaves the run as one that has yet to be trained.
                    trainer.run(TrainingOptions.DEFAULT, progress -> {}, () -> true);
                } finally {
                    Failures.reportClosing(trainer::close, terminal);
                }
                report(backend, directory, spec, recording, learned.result());
                return interruption.requested() ? TrainCommand.INTERRUPTED : 0;
            });
        }
    }

    /** What a new run begins with: what was learned from the recording. */
    private final class Learned implements Trainer.Beginning, ImitationResult.Listener {
        private final Recording recording;
        private final ImitationSettings how;
        private final RunSpec spec;
        private @Nullable ImitationResult result;

        Learned(Recording recording, ImitationSettings how, RunSpec spec) {
            this.recording = recording;
            this.how = how;
            this.spec = spec;
        }

        @Override
        public void apply(Agent agent) {
            RolloutConfig rollout = spec.config().rollout();
            terminal.notices()
                    .println("imitating "
                            + NumberFormats.count(recording.episodes().size()) + " episodes, "
                            + NumberFormats.count(recording.steps()) + " steps, by a " + spec.policy() + " policy of "
                            + NumberFormats.count(agent.parameters().count()) + " parameters");
            try (Imitation imitation = new Imitation(
                    agent,
                    recording,
                    how,
                    rollout.gamma(),
                    rollout.normalizeRewards(),
                    rollout.rolloutSteps(),
                    rollout.burnIn())) {
                result = imitation.learn(this, interruption::requested);
            }
            if (interruption.requested()) {
                throw new UsageException("imitation was interrupted; no run was begun");
            }
        }

        @Override
        public void learned(int epoch, ImitationResult.Fit learned, ImitationResult.Fit test) {
            terminal.notices()
                    .println(String.format(
                            Locale.ROOT, "epoch %3d   learned %s   held out %s", epoch, text(learned), text(test)));
        }

        ImitationResult result() {
            if (result == null) {
                throw new IllegalStateException("nothing was learned");
            }
            return result;
        }
    }

    private static String text(ImitationResult.Fit fit) {
        return String.format(Locale.ROOT, "loss %.4f", fit.loss())
                + (Double.isNaN(fit.accuracy())
                        ? ""
                        : String.format(Locale.ROOT, ", %.1f %% right", 100 * fit.accuracy()));
    }

    private void report(Backend backend, Path directory, RunSpec spec, Recording recording, ImitationResult result)
            throws IOException {
        terminal.out()
                .println(String.format(
                        Locale.ROOT,
                        "%s, %s policy: learned from %,d episodes, %,d held out; best epoch %d of %d",
                        spec.environment(),
                        spec.policy(),
                        result.learnedEpisodes(),
                        result.heldOutEpisodes(),
                        result.best(),
                        result.epochs()));
        terminal.out().println("learned                " + text(result.learned()));
        if (result.heldOutEpisodes() > 0) {
            terminal.out().println("held out               " + text(result.heldOut()));
        }
        if (!recording.hasRewards()) {
            terminal.out().println("note: there are no rewards, so the value is not learned");
        }
        EvaluationResult played = play(backend, directory);
        if (played.episodes() > 0) {
            terminal.out()
                    .println("return, greedy         " + NumberFormats.score(played.mean()) + ", standard error "
                            + NumberFormats.score(played.standardError()) + ", of " + played.episodes() + " episodes");
        }
        terminal.out().println("run directory          " + directory);
        terminal.out().println("to train it further:   fovea train --resume --out " + directory);
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("env", spec.environment())
                            .with("policy", spec.policy().toString())
                            .with("episodes", recording.episodes().size())
                            .with("steps", recording.steps())
                            .with("held_out_episodes", result.heldOutEpisodes())
                            .with("epochs", result.epochs())
                            .with("best_epoch", result.best())
                            .with("learned_loss", result.learned().loss())
                            .with("learned_accuracy", result.learned().accuracy())
                            .with("held_out_loss", result.heldOut().loss())
                            .with("held_out_accuracy", result.heldOut().accuracy())
                            .with("return_mean", played.mean())
                            .with("return_stderr", played.standardError())
                            .with("run_dir", directory.toString()));
        }
    }

    private EvaluationResult play(Backend backend, Path directory) throws IOException {
        EvaluationSettings greedy = new EvaluationSettings(
                episodes,
                EvaluationSettings.DEFAULT_SEED,
                EvaluationSettings.DEFAULT_MAX_STEPS,
                EvaluationSettings.FINAL.maxSeconds());
        try (TrainedPolicy policy = TrainedPolicy.open(backend, directory, greedy)) {
            return policy.evaluate(new Evaluation.Listener() {}, interruption::requested);
        }
    }
}
