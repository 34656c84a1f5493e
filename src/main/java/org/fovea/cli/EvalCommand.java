// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec.ReferenceReturn;
import org.fovea.env.Environments;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.rollout.PlaySettings.Overlap;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.TrainedPolicy;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Plays a trained policy. */
@Command(
        name = "eval",
        abbreviateSynopsis = true,
        header = "Play a trained policy on a fixed set of episodes.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea eval runs/ProofOfMemory-v0-attention-seed1-20260101-120000 --episodes 1000",
            "  fovea eval runs/mine --env CartPole-v1+sticky_actions=0.25    how well does it stand that?"
        })
final class EvalCommand extends BackendCommand {
    private final Interruption interruption;

    @Parameters(paramLabel = "RUN_DIR", description = "Directory of the run, as printed by fovea train.")
    @SuppressWarnings("NullAway.Init")
    private Path runDirectory;

    @Option(
            names = "--env",
            paramLabel = "NAME",
            completionCandidates = Candidates.EnvironmentNames.class,
            description = "Play another environment of the same spaces, such as one with a wrapper, or a class of"
                    + " FOVEA_CLASSPATH in place of one that nobody registers here (default: that of the run).")
    private @Nullable String environment;

    @Option(
            names = "--episodes",
            paramLabel = "N",
            defaultValue = "100",
            description = "Episodes to play (default: ${DEFAULT-VALUE}).")
    private int episodes;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "" + EvaluationSettings.DEFAULT_SEED,
            description = "Which episodes (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--max-episode-steps",
            paramLabel = "N",
            defaultValue = "" + EvaluationSettings.DEFAULT_MAX_STEPS,
            description = "Steps after which an episode is cut (default: ${DEFAULT-VALUE}).")
    private int maxSteps;

    @Option(
            names = "--stochastic",
            description = "Draw actions from the policy, as in training, in place of the most likely ones.")
    private boolean stochastic;

    @Option(
            names = "--best",
            description = "Play the policy that evaluations during training found to be the best, not the last one.")
    private boolean best;

    @Mixin
    private StepTimeoutOption stepTimeout = new StepTimeoutOption();

    @ArgGroup(validate = false, heading = "%nHow environments are played:%n")
    private EnvironmentOptions play = new EnvironmentOptions();

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    EvalCommand(Terminal terminal, Interruption interruption) {
        super(terminal);
        this.interruption = interruption;
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        if (episodes < 1) {
            throw new UsageException("--episodes must be at least 1, got " + episodes);
        }
        if (maxSteps < 1) {
            throw new UsageException("--max-episode-steps must be at least 1, got " + maxSteps);
        }
        play.apply();
        if (!Files.isDirectory(runDirectory)) {
            throw new UsageException("there is no run directory " + runDirectory + "; fovea runs lists what there is");
        }
        stepTimeout.apply(terminal, () -> "The run is as it was");
        String played = play.name(environment);
        SavedRun saved = UsageException.ifIllegal(
                () -> best ? SavedRun.loadBest(runDirectory, played) : SavedRun.load(runDirectory, played));
        EvaluationSettings evaluation =
                new EvaluationSettings(episodes, seed, maxSteps, Double.POSITIVE_INFINITY, stochastic);
        try (Backend backend = open(backendSettings)) {
            return interruption.during(
                    "the evaluation", () -> "The run is as it was", () -> play(backend, saved, evaluation));
        }
    }

    private int play(Backend backend, SavedRun saved, EvaluationSettings evaluation) throws IOException {
        long start = System.nanoTime();
        TrainedPolicy policy = TrainedPolicy.open(
                backend, saved, evaluation, new PlaySettings(play.environmentThreads(0), Overlap.OFF, play.place()));
        try {
            EvaluationResult result;
            try (ProgressDisplay display = new ProgressDisplay(terminal, 0)) {
                result = policy.evaluate(display, interruption::requested);
            }
            double seconds = (System.nanoTime() - start) * 1e-9;
            PrintStream out = terminal.report(json);
            print(out, saved, backend.name(), result, seconds);
            EvaluationNotes.of(result, evaluation).forEach(note -> out.println("note: " + note));
            printJson(saved, backend.name(), result, seconds);
            return result.end() == EvaluationResult.End.STOPPED ? TrainCommand.INTERRUPTED : 0;
        } finally {
            Failures.reportClosing(policy::close, terminal);
        }
    }

    private void print(PrintStream out, SavedRun saved, String backend, EvaluationResult result, double seconds) {
        RunSpec spec = saved.spec();
        out.printf(
                Locale.ROOT,
                "%s, %s policy%s, %s: %,d episodes in %s on %s%n",
                spec.environment(),
                spec.policy(),
                best ? String.format(Locale.ROOT, ", the best, of step %,d", saved.steps()) : "",
                stochastic ? "sampled actions" : "greedy",
                result.episodes(),
                NumberFormats.duration(seconds),
                backend);
        TrainReport.printChanges(out, saved.changes());
        out.println();
        out.printf(
                Locale.ROOT,
                "return   %s, standard error %.3f, from %s to %s%n",
                NumberFormats.score(result.mean()),
                result.standardError(),
                NumberFormats.score(result.min()),
                NumberFormats.score(result.max()));
        for (ReferenceReturn reference : Environments.get(spec.environment()).comparisons()) {
            out.println("         " + NumberFormats.score(reference.meanReturn()) + ", " + reference.name());
        }
        out.printf(Locale.ROOT, "length   %.1f steps on average%n", result.meanLength());
    }

    private void printJson(SavedRun saved, String backend, EvaluationResult result, double seconds) {
        RunSpec spec = saved.spec();
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("env", spec.environment())
                            .with("algo", spec.config().algorithm())
                            .with("policy", spec.policy().toString())
                            .with("backend", backend)
                            .with("trained_steps", saved.steps())
                            .with("changes", TrainReport.json(saved.changes()))
                            .with("stochastic", stochastic)
                            .with("episodes", result.episodes())
                            .with("episodes_cut", result.cut())
                            .with("return_mean", result.mean())
                            .with("return_std", result.std())
                            .with("return_stderr", result.standardError())
                            .with("return_min", result.min())
                            .with("return_max", result.max())
                            .with("length_mean", result.meanLength())
                            .with("seconds", seconds)
                            .with("seed", seed)
                            .with("run_dir", runDirectory.toString()));
        }
    }
}
