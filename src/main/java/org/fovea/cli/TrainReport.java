// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.fovea.env.EnvironmentSpec.ReferenceReturn;
import org.fovea.env.Environments;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.SettingChange;
import org.fovea.rl.run.Throughput;
import org.fovea.rl.run.TrainResult;

/** The outcome of a run, for people and for programs. */
final class TrainReport {
    /** Share of the largest entropy above which a policy is as good as random. */
    private static final double NEARLY_RANDOM = 0.95;

    private TrainReport() {}

    static void print(PrintStream out, TrainResult result) {
        EvaluationResult evaluation = result.evaluation();
        out.println();
        out.printf(
                Locale.ROOT,
                "%s, %s, %s policy: %,d steps in %s on %s%s%n%n",
                result.spec().environment(),
                result.spec().config().algorithm(),
                result.spec().policy(),
                result.training().steps(),
                NumberFormats.duration(result.training().seconds()),
                result.backend(),
                switch (result.training().end()) {
                    case COMPLETE -> "";
                    case TARGET ->
                        String.format(
                                Locale.ROOT,
                                ", the target was reached: %s at step %,d",
                                NumberFormats.score(result.best().meanReturn()),
                                result.best().steps());
                    case TIME_LIMIT -> ", time was up";
                    case INTERRUPTED -> ", interrupted";
                });
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of(
                "final return",
                NumberFormats.score(evaluation.mean()),
                result.training().end().isEarly()
                        ? "not evaluated: not trained to its end"
                        : evaluation.requested() == 0
                                ? "not evaluated"
                                : String.format(
                                        Locale.ROOT,
                                        "greedy, %,d episodes, standard deviation %s",
                                        evaluation.episodes(),
                                        NumberFormats.score(evaluation.std()))));
        if (result.sampled().episodes() > 0) {
            rows.add(List.of(
                    "",
                    NumberFormats.score(result.sampled().mean()),
                    "the same with sampled actions, standard deviation "
                            + NumberFormats.score(result.sampled().std())));
        }
        if (result.best().steps() > 0) {
            rows.add(List.of(
                    "best during training",
                    NumberFormats.score(result.best().meanReturn()),
                    String.format(
                            Locale.ROOT,
                            "greedy, at step %,d: fovea eval %s --best",
                            result.best().steps(),
                            result.runDirectory())));
        }
        for (ReferenceReturn reference :
                Environments.get(result.spec().environment()).comparisons()) {
            rows.add(List.of("  " + reference.name(), NumberFormats.score(reference.meanReturn()), ""));
        }
        rows.add(List.of("steps per second", "", ""));
        Throughput throughput = result.training().throughput();
        rows.add(speed("  environment only", throughput.environment(), throughput.environmentShare()));
        rows.add(speed("  with inference", throughput.inference(), throughput.inferenceShare()));
        rows.add(speed("  with training", throughput.train(), throughput.trainShare()));
        rows.add(List.of("parameters", NumberFormats.count(result.model().parameters()), ""));
        rows.add(List.of(
                "episodes", NumberFormats.count(result.training().episodes().count()), ""));
        printAligned(out, rows);
        out.println("run directory          " + result.runDirectory());
    }

    /** A speed, and the share of the time that what it has over the one before took. */
    private static List<String> speed(String label, double stepsPerSecond, double share) {
        String time = Double.isFinite(share) ? Math.round(100 * share) + " % of the time" : "";
        return List.of(label, NumberFormats.count(stepsPerSecond), time);
    }

    /** What was set to another value when the run was resumed. */
    static void printChanges(PrintStream out, List<SettingChange> changes) {
        for (SettingChange change : changes) {
            out.printf(
                    Locale.ROOT,
                    "changed at step %,d: %s from %s to %s%n",
                    change.steps(),
                    change.setting(),
                    change.before(),
                    change.after());
        }
    }

    static List<Json> json(List<SettingChange> changes) {
        return changes.stream()
                .map(change -> new Json()
                        .with("steps", change.steps())
                        .with("setting", change.setting())
                        .with("before", change.before())
                        .with("after", change.after()))
                .toList();
    }

    /** Warnings about the outcome, a line each. */
    static List<String> notes(TrainResult result) {
        List<String> notes = new ArrayList<>();
        double entropy = result.lastUpdate().loss().entropy();
        if (entropy > NEARLY_RANDOM * result.model().maxEntropy()) {
            notes.add(String.format(
                    Locale.ROOT,
                    "the policy's entropy is %.3f of at most %.3f nats: it still acts almost at random, whatever its"
                            + " most likely actions score; more steps or a lower entropy_coef may help",
                    entropy,
                    result.model().maxEntropy()));
        }
        int window = result.spec().config().network().window();
        if (result.spec().policy() == PolicyKind.ATTENTION
                && result.training().episodes().longest() > window) {
            notes.add(String.format(
                    Locale.ROOT,
                    "episodes had up to %,d steps, attention sees the last %,d; if the task needs what was earlier,"
                            + " --set window=%d",
                    result.training().episodes().longest(),
                    window,
                    Math.max(
                            window + 1,
                            Integer.highestOneBit(
                                    2 * result.training().episodes().longest() - 1))));
        }
        return notes;
    }

    private static void printAligned(PrintStream out, List<List<String>> rows) {
        int width = rows.stream().mapToInt(row -> row.get(1).length()).max().orElse(0);
        for (List<String> row : rows) {
            out.println(String.format("%-21s  %" + width + "s   %s", row.get(0), row.get(1), row.get(2))
                    .stripTrailing());
        }
    }

    static Json json(TrainResult result) {
        EvaluationResult evaluation = result.evaluation();
        return new Json()
                .with("env", result.spec().environment())
                .with("algo", result.spec().config().algorithm())
                .with("policy", result.spec().policy().toString())
                .with("backend", result.backend())
                .with("steps", result.training().steps())
                .with("end", result.training().end().name().toLowerCase(Locale.ROOT))
                .with("seconds", result.training().seconds())
                .with(
                        "sps",
                        new Json()
                                .with("env", result.training().throughput().environment())
                                .with(
                                        "inference",
                                        result.training().throughput().inference())
                                .with("train", result.training().throughput().train()))
                .with("return_mean", evaluation.mean())
                .with("return_std", evaluation.std())
                .with("return_episodes", evaluation.episodes())
                .with("return_episodes_cut", evaluation.cut())
                .with("return_mean_sampled", result.sampled().mean())
                .with("return_std_sampled", result.sampled().std())
                .with("return_mean_best", result.best().meanReturn())
                .with("best_steps", result.best().steps())
                .with("return_max", result.training().episodes().maxReturn())
                .with("episodes", result.training().episodes().count())
                .with("episode_length", result.training().episodes().meanLength())
                .with("longest_episode", result.training().episodes().longest())
                .with("entropy", result.lastUpdate().loss().entropy())
                .with("max_entropy", result.model().maxEntropy())
                .with("explained_variance", result.lastUpdate().explainedVariance())
                .with("learning_rate", result.lastUpdate().learningRate())
                .with("gradient_norm", result.lastUpdate().gradientNorm())
                .with("seed", result.spec().seed())
                .with("params", result.model().parameters())
                .with("changes", json(result.changes()))
                .with("run_dir", result.runDirectory().toString());
    }
}
