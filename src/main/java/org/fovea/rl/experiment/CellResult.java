// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.run.TrainResult;

/**
 * What came out of a cell.
 *
 * @param group that the cell is in
 * @param spec of the run as text, {@link org.fovea.rl.run.RunSpec#save}
 * @param end why training ended
 * @param greedy score of the final policy with its most likely actions
 * @param sampled score with actions drawn as in training, on the same episodes
 * @param steps that were trained
 * @param seconds that training and evaluation took; of the last process alone where one was killed
 * @param curve of mean returns while it was trained
 * @param backend that computed
 * @param date of its end, UTC
 */
public record CellResult(
        String group,
        Map<String, String> spec,
        String end,
        Score greedy,
        Score sampled,
        long steps,
        double seconds,
        Curve curve,
        String backend,
        String date,
        Provenance provenance) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A mean return, its standard error, and how many episodes it is of, {@code cut} of which were not played to their end. */
    public record Score(double mean, double standardError, int episodes, int cut) {
        static Score of(EvaluationResult result) {
            return new Score(result.mean(), result.standardError(), result.episodes(), result.cut());
        }

        private void write(ObjectNode parent, String name) {
            parent.putObject(name)
                    .put("mean", mean)
                    .put("standard_error", Double.isFinite(standardError) ? standardError : null)
                    .put("episodes", episodes)
                    .put("episodes_cut", cut);
        }

        private static Score read(JsonNode node) {
            return new Score(
                    number(node, "mean"),
                    node.path("standard_error").asDouble(Double.NaN),
                    (int) number(node, "episodes"),
                    (int) number(node, "episodes_cut"));
        }
    }

    static CellResult of(Cell cell, TrainResult result, double seconds, Curve curve, Provenance provenance) {
        return new CellResult(
                cell.group(),
                cell.spec().save(),
                result.training().end().name().toLowerCase(Locale.ROOT),
                Score.of(result.evaluation()),
                Score.of(result.sampled()),
                result.training().steps(),
                Math.round(seconds * 10) / 10.0,
                curve,
                result.backend(),
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                provenance);
    }

    /** The seed of the run. */
    public long seed() {
        return Long.parseLong(spec.getOrDefault("seed", "0"));
    }

    /** Whether it is of that cell, by at least so many episodes. */
    boolean isOf(Cell cell, int episodes) {
        return spec.equals(cell.spec().save()) && greedy.episodes() >= episodes && sampled.episodes() >= episodes;
    }

    /** As JSON. */
    public ObjectNode json() {
        ObjectNode root = JSON.createObjectNode();
        root.put("cell", group + "-seed" + seed()).put("group", group);
        greedy.write(root, "greedy");
        sampled.write(root, "sampled");
        root.put("steps", steps).put("end", end).put("seconds", seconds);
        ObjectNode run = root.putObject("run");
        spec.forEach(run::put);
        root.put("backend", backend)
                .put("machine", provenance.machine())
                .put("java", provenance.javaVersion())
                .put("version", provenance.version())
                .put("commit", provenance.commit())
                .put("command", provenance.command())
                .put("date", date);
        ArrayNode xs = root.putArray("curve_steps");
        ArrayNode ys = root.putArray("curve_returns");
        for (int i = 0; i < curve.steps().length; i++) {
            xs.add((long) curve.steps()[i]);
            ys.add(curve.returns()[i]);
        }
        return root;
    }

    void write(Path file) throws IOException {
        Experiment.write(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json()) + "\n");
    }

    /** @throws IOException if it is not one; the message names the file */
    static CellResult read(Path file) throws IOException {
        try {
            JsonNode root = JSON.readTree(Files.readString(file));
            Map<String, String> spec = new LinkedHashMap<>();
            root.path("run")
                    .properties()
                    .forEach(entry -> spec.put(entry.getKey(), entry.getValue().asText()));
            int points = root.path("curve_steps").size();
            double[] steps = new double[points];
            double[] returns = new double[points];
            for (int i = 0; i < points; i++) {
                steps[i] = root.path("curve_steps").path(i).asDouble();
                returns[i] = root.path("curve_returns").path(i).asDouble();
            }
            return new CellResult(
                    text(root, "group"),
                    spec,
                    text(root, "end"),
                    Score.read(root.path("greedy")),
                    Score.read(root.path("sampled")),
                    (long) number(root, "steps"),
                    number(root, "seconds"),
                    new Curve(steps, returns),
                    text(root, "backend"),
                    text(root, "date"),
                    new Provenance(
                            text(root, "command"),
                            text(root, "version"),
                            text(root, "commit"),
                            text(root, "machine"),
                            text(root, "java")));
        } catch (JsonProcessingException | IllegalArgumentException e) {
            throw new IOException(
                    file + " is not the result of a cell (" + e.getMessage()
                            + "): delete it, and its run is played again",
                    e);
        }
    }

    private static double number(JsonNode node, String key) {
        if (!node.path(key).isNumber()) {
            throw new IllegalArgumentException("it has no number '" + key + "'");
        }
        return node.path(key).asDouble();
    }

    private static String text(JsonNode node, String key) {
        if (!node.path(key).isTextual()) {
            throw new IllegalArgumentException("it has no text '" + key + "'");
        }
        return node.path(key).asText();
    }
}
