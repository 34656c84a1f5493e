// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Optional;
import org.fovea.io.DurableFiles;
import org.fovea.rl.evaluation.EvaluationResult;
import org.jspecify.annotations.Nullable;

/**
 * How a run ended, kept in {@value RunFiles#RESULT} of its directory: written when the process that trains comes to an end, deleted
 * when another goes on. A run without one is being trained, or was killed.
 *
 * @param end null if it failed
 * @param failure what went wrong, empty if nothing
 * @param steps taken in all
 * @param seconds that the last process took for training
 * @param greedy score of the final policy with its most likely actions
 * @param sampled score of the same with actions drawn as in training
 * @param best evaluation during training
 * @param date of the end
 */
public record RunOutcome(
        TrainResult.@Nullable End end,
        String failure,
        long steps,
        double seconds,
        String backend,
        Throughput throughput,
        Score greedy,
        Score sampled,
        TrainResult.Best best,
        Instant date) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String FAILED = "failed";

    /** More than the message of any failure takes. */
    private static final long LARGEST_BYTES = 1 << 20;

    /** A mean return of some episodes, and the standard deviation of theirs; NaN where none was played. */
    public record Score(double mean, double std, int episodes) {
        /** Of no episode. */
        public static final Score NONE = new Score(Double.NaN, Double.NaN, 0);

        static Score of(EvaluationResult result) {
            return new Score(result.mean(), result.std(), result.episodes());
        }
    }

    static RunOutcome of(TrainResult result) {
        return new RunOutcome(
                result.training().end(),
                "",
                result.training().steps(),
                result.training().seconds(),
                result.backend(),
                result.training().throughput(),
                Score.of(result.evaluation()),
                Score.of(result.sampled()),
                result.best(),
                now());
    }

    static RunOutcome failed(Throwable failure, long steps, double seconds, String backend) {
        return new RunOutcome(
                null,
                failure.getMessage() == null ? failure.toString() : failure.getMessage(),
                steps,
                seconds,
                backend,
                Throughput.NONE,
                Score.NONE,
                Score.NONE,
                TrainResult.Best.NONE,
                now());
    }

    private static Instant now() {
        return Instant.now().truncatedTo(ChronoUnit.SECONDS);
    }

    /** Writes it as a whole: where the process is killed meanwhile there is none. */
    void write(Path runDirectory) throws IOException {
        ObjectNode root = JSON.createObjectNode();
        root.put("end", end == null ? FAILED : end.name().toLowerCase(Locale.ROOT));
        if (!failure.isEmpty()) {
            root.put("failure", failure);
        }
        root.put("steps", steps);
        put(root, "seconds", seconds);
        root.put("backend", backend);
        ObjectNode speeds = root.putObject("sps");
        put(speeds, "env", throughput.environment());
        put(speeds, "inference", throughput.inference());
        put(speeds, "train", throughput.train());
        put(root, "", greedy);
        put(root, "_sampled", sampled);
        put(root, "return_mean_best", best.meanReturn());
        root.put("best_steps", best.steps());
        root.put("date", date.toString());
        String text = JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root) + System.lineSeparator();
        DurableFiles.write(runDirectory.resolve(RunFiles.RESULT), text.getBytes(StandardCharsets.UTF_8));
    }

    private static void put(ObjectNode root, String suffix, Score score) {
        put(root, "return_mean" + suffix, score.mean);
        put(root, "return_std" + suffix, score.std);
        root.put("return_episodes" + suffix, score.episodes);
    }

    /** What JSON has no number for is null. */
    private static void put(ObjectNode root, String key, double value) {
        root.put(key, Double.isFinite(value) ? value : null);
    }

    static void delete(Path runDirectory) throws IOException {
        Files.deleteIfExists(runDirectory.resolve(RunFiles.RESULT));
    }

    /**
     * That of a run directory, if it has one.
     *
     * @throws IOException if the file is not one
     */
    public static Optional<RunOutcome> read(Path runDirectory) throws IOException {
        Path file = runDirectory.resolve(RunFiles.RESULT);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        if (Files.size(file) > LARGEST_BYTES) {
            throw new IOException(file + " does not say how a run ended: it has " + Files.size(file)
                    + " bytes, and none of a run has more than " + LARGEST_BYTES);
        }
        try {
            JsonNode root = JSON.readTree(Files.readString(file));
            String end = root.path("end").asText();
            JsonNode speeds = root.path("sps");
            return Optional.of(new RunOutcome(
                    end.equals(FAILED) ? null : TrainResult.End.valueOf(end.toUpperCase(Locale.ROOT)),
                    root.path("failure").asText(""),
                    root.path("steps").asLong(),
                    number(root, "seconds"),
                    root.path("backend").asText(""),
                    new Throughput(number(speeds, "env"), number(speeds, "inference"), number(speeds, "train")),
                    score(root, ""),
                    score(root, "_sampled"),
                    new TrainResult.Best(root.path("best_steps").asLong(), number(root, "return_mean_best")),
                    Instant.parse(root.path("date").asText())));
        } catch (JsonProcessingException | IllegalArgumentException | DateTimeParseException e) {
            throw new IOException(file + " does not say how a run ended: " + e.getMessage(), e);
        }
    }

    private static Score score(JsonNode root, String suffix) {
        return new Score(
                number(root, "return_mean" + suffix),
                number(root, "return_std" + suffix),
                root.path("return_episodes" + suffix).asInt());
    }

    private static double number(JsonNode node, String key) {
        return node.path(key).asDouble(Double.NaN);
    }
}
