// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import javax.imageio.ImageIO;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.env.EnvironmentException;
import org.fovea.rl.evaluation.AttentionImage;
import org.fovea.rl.evaluation.AttentionMap;
import org.fovea.rl.evaluation.Episode;
import org.fovea.rl.evaluation.EpisodeRecorder;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.events.EventFile;
import org.fovea.rl.events.EventFile.Scalar;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.EnvironmentPlace;
import org.fovea.rl.rollout.EnvironmentSet;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;

/**
 * What a run shows in TensorBoard, under the names that CleanRL ({@code charts}, {@code losses}) and Stable-Baselines3 ({@code rollout},
 * {@code time}, {@code eval}) use. Once an iteration, from what the log has anyway; weights and gradients come down every so often.
 */
final class TensorBoardLog implements AutoCloseable {
    /** How often a whole run shows how weights and gradients are spread. */
    private static final int HISTOGRAMS = 40;

    private static final int MOST_STEPS = 256;
    private static final long MOST_NANOS = 5_000_000_000L;

    private static final Logger LOGGER = System.getLogger(TensorBoardLog.class.getName());

    private final TrainingState state;
    private final EventFile events;
    private final long histogramEvery;

    private TensorBoardLog(TrainingState state, EventFile events) {
        this.state = state;
        this.events = events;
        this.histogramEvery = Math.max(1, state.spec().iterations() / HISTOGRAMS);
    }

    /** Begins or goes on with the curves of a run. */
    static TensorBoardLog open(Path runDirectory, TrainingState state) {
        try {
            return new TensorBoardLog(
                    state,
                    EventFile.open(
                            runDirectory, state.iteration() * state.spec().stepsPerIteration()));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write events to " + runDirectory, e);
        }
    }

    private interface Write {
        void run() throws IOException;
    }

    private static void write(Write write) {
        try {
            write.run();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write events", e);
        }
    }

    private long steps() {
        return state.iteration() * state.spec().stepsPerIteration();
    }

    /** The settings, as of now. */
    void configuration() {
        StringBuilder table = new StringBuilder("| setting | value |\n|---|---|\n");
        state.spec()
                .save()
                .forEach((key, value) -> table.append("| ")
                        .append(key.replaceFirst("^config\\.", ""))
                        .append(" | `")
                        .append(value.replace("|", "\\|"))
                        .append("` |\n"));
        write(() -> events.text(steps(), "configuration", table.toString()));
    }

    /** An iteration. */
    void append(Progress progress, UpdateStatistics update) {
        double meanReturn = progress.episodes().meanReturn();
        double meanLength = progress.episodes().meanLength();
        double rate = progress.stepsPerSecond();
        List<Scalar> scalars = new ArrayList<>();
        scalars.add(new Scalar("charts/episodic_return", meanReturn));
        scalars.add(new Scalar("charts/episodic_length", meanLength));
        scalars.add(new Scalar("charts/learning_rate", update.learningRate()));
        scalars.add(new Scalar("charts/SPS", rate));
        scalars.add(new Scalar("losses/policy_loss", update.loss().policyLoss()));
        scalars.add(new Scalar("losses/value_loss", update.loss().valueLoss()));
        scalars.add(new Scalar("losses/entropy", update.loss().entropy()));
        scalars.add(new Scalar("losses/approx_kl", update.loss().approximateKl()));
        scalars.add(new Scalar("losses/clipfrac", update.loss().clipFraction()));
        scalars.add(new Scalar("losses/explained_variance", update.explainedVariance()));
        scalars.add(new Scalar("losses/step_fraction", update.stepFraction()));
        scalars.add(new Scalar("losses/gradient_norm", update.gradientNorm()));
        scalars.add(new Scalar("rollout/ep_rew_mean", meanReturn));
        scalars.add(new Scalar("rollout/ep_len_mean", meanLength));
        scalars.add(new Scalar("time/fps", rate));
        write(() -> events.scalars(progress.steps(), scalars));
        if (progress.iteration() % histogramEvery == 1 % histogramEvery) {
            histograms(progress.steps());
        }
    }

    private void histograms(long steps) {
        Memory memory = state.backend().memory();
        Parameters parameters = state.agent().parameters();
        DeviceArray gradient = state.learner().gradient();
        for (Parameter parameter : parameters.all()) {
            float[] numbers = new float[Math.toIntExact(parameter.value().length())];
            memory.download(parameter.value(), numbers, 0);
            write(() -> events.histogram(steps, "weights/" + parameter.name(), numbers));
            memory.download(parameters.slotIn(gradient, parameter), numbers, 0);
            write(() -> events.histogram(steps, "gradients/" + parameter.name(), numbers));
        }
    }

    /** An evaluation during training. */
    void evaluated(EvaluationResult result) {
        List<Scalar> scalars = List.of(
                new Scalar("eval/mean_reward", result.mean()), new Scalar("eval/mean_ep_length", result.meanLength()));
        write(() -> events.scalars(steps(), scalars));
    }

    /** What the policy attends to in an episode. The run does not depend on it: what goes wrong is logged. */
    void attention(long seed, BooleanSupplier stop) {
        boolean attends = state.spec().policy() == PolicyKind.ATTENTION
                || EpisodeRecorder.hasEntities(state.agent().spaces());
        if (!attends) {
            return;
        }
        long start = System.nanoTime();
        Episode episode;
        try (EnvironmentSet one = state.newEnvironments(1, EnvironmentPlace.HOST)) {
            episode = EpisodeRecorder.record(
                    state.agent(),
                    one.batches().get(0),
                    state.spec().config().rollout().rolloutSteps(),
                    new EpisodeRecorder.Settings(seed, false, MOST_STEPS, 0),
                    () -> stop.getAsBoolean() || System.nanoTime() - start > MOST_NANOS);
        } catch (EnvironmentException e) {
            LOGGER.log(Level.WARNING, "no picture of attention: " + e.getMessage());
            return;
        }
        for (AttentionMap map : episode.attention()) {
            BufferedImage image = AttentionImage.of(map);
            ByteArrayOutputStream png = new ByteArrayOutputStream();
            write(() -> {
                ImageIO.write(image, "png", png);
                events.image(
                        steps(),
                        "attention/" + map.name().replace(' ', '_'),
                        image.getWidth(),
                        image.getHeight(),
                        png.toByteArray());
            });
        }
    }

    @Override
    public void close() {
        write(events::close);
    }
}
