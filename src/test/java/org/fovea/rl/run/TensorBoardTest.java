// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.events.EventFile;
import org.fovea.rl.events.EventFile.Scalar;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real TensorBoard shows what a run wrote, a resumed one as one curve. */
@Tag("integration")
class TensorBoardTest {
    private static final int ITERATIONS = 6;

    @TempDir
    Path directory;

    private static boolean isInstalled() throws IOException, InterruptedException {
        Process python;
        try {
            python = new ProcessBuilder("python3", "-c", "import tensorboard")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException noPython) {
            return false;
        }
        return python.waitFor() == 0;
    }

    /** Trains, is killed after a checkpoint and half an event, and goes on. */
    private RunSpec train(Path run) throws IOException {
        RunSpec spec =
                Runs.small("ProofOfMemory-v0", PolicyKind.ATTENTION, ITERATIONS, Map.of("layers", "1", "epochs", "1"));
        EvaluationPlan plan = new EvaluationPlan(2L * spec.stepsPerIteration(), 4, Double.NaN);
        TrainingOptions options =
                TrainingOptions.DEFAULT.withEvaluations(plan).withFinalEvaluation(EvaluationSettings.of(1, 3));
        try (Backend backend = Runs.cpu(1)) {
            int[] done = new int[1];
            try (Trainer trainer = Trainer.start(backend, spec, run)) {
                trainer.run(options, progress -> done[0]++, () -> done[0] == 3);
            }
            long steps = 4L * spec.stepsPerIteration();
            try (EventFile lost = EventFile.open(run, steps)) {
                lost.scalars(steps, List.of(new Scalar("charts/episodic_return", 1e6)));
                lost.scalars(steps, List.of(new Scalar("charts/episodic_return", 2e6)));
            }
            Path newest;
            try (Stream<Path> files = Files.list(run)) {
                newest = files.filter(file -> file.getFileName().toString().startsWith(EventFile.PREFIX))
                        .sorted()
                        .reduce((first, second) -> second)
                        .orElseThrow();
            }
            byte[] bytes = Files.readAllBytes(newest);
            Files.write(newest, Arrays.copyOf(bytes, bytes.length - 7));
            SavedRun saved = SavedRun.load(run);
            assertThat(saved.iteration()).isEqualTo(3);
            try (Trainer trainer = Trainer.resume(backend, saved.spec(), saved, run)) {
                trainer.run(options, progress -> {}, () -> false);
            }
        }
        return spec;
    }

    @Test
    void showsARunThatWasResumed() throws IOException, InterruptedException {
        assumeTrue(isInstalled(), "python3 has no tensorboard");
        RunSpec spec = train(directory.resolve("runs/first"));
        try (TensorBoard board = new TensorBoard(directory.resolve("runs"))) {
            JsonNode scalars = board.tags("scalars", "charts/episodic_return");
            assertThat(scalars.fieldNames())
                    .toIterable()
                    .contains(
                            "charts/episodic_return",
                            "charts/episodic_length",
                            "charts/learning_rate",
                            "charts/SPS",
                            "losses/policy_loss",
                            "losses/value_loss",
                            "losses/entropy",
                            "losses/approx_kl",
                            "losses/clipfrac",
                            "losses/explained_variance",
                            "rollout/ep_rew_mean",
                            "rollout/ep_len_mean",
                            "time/fps",
                            "eval/mean_reward",
                            "eval/mean_ep_length");
            List<Long> steps = new ArrayList<>();
            for (JsonNode point : board.get("scalars/scalars?run=first&tag=charts/episodic_return")) {
                steps.add(point.get(1).asLong());
                assertThat(point.get(2).asDouble()).isBetween(-10.0, 10.0);
            }
            long each = spec.stepsPerIteration();
            assertThat(steps).containsExactly(each, 2 * each, 3 * each, 4 * each, 5 * each, 6 * each);

            JsonNode text = board.get("text/text?run=first&tag=configuration");
            assertThat(text.get(0).get("text").asText()).contains("learning_rate", "ProofOfMemory-v0");
            JsonNode images = board.tags("images", "attention/layer_0_over_steps");
            assertThat(images.fieldNames()).toIterable().containsExactly("attention/layer_0_over_steps");
            JsonNode maps = board.get("images/images?run=first&sample=0&tag=attention/layer_0_over_steps");
            List<Long> mapSteps = new ArrayList<>();
            maps.forEach(map -> mapSteps.add(map.get("step").asLong()));
            assertThat(mapSteps).containsExactly(2 * each, 4 * each, 6 * each);
            byte[] png = board.bytes(
                    "images/" + "individualImage?" + maps.get(0).get("query").asText());
            assertThat(new String(png, 1, 3, StandardCharsets.US_ASCII)).isEqualTo("PNG");
            JsonNode histograms = board.tags("histograms", "weights/policy.weight");
            assertThat(histograms.fieldNames())
                    .toIterable()
                    .contains("weights/policy.weight", "gradients/block0.attention.query.weight");
            JsonNode gradients = board.get("histograms/histograms?run=first&tag=gradients/policy.weight");
            assertThat(gradients.size()).isEqualTo(ITERATIONS);
            double spread = gradients.get(0).get(2).get(0).get(0).asDouble();
            assertThat(spread).isNotZero();
        }
    }

    /** A server of its own. */
    private static final class TensorBoard implements AutoCloseable {
        private final Process process;
        private final URI address;
        private final HttpClient client = HttpClient.newHttpClient();

        TensorBoard(Path runs) throws IOException {
            process = new ProcessBuilder(
                            "python3", "-m", "tensorboard.main", "--logdir", runs.toString(), "--port", "0")
                    .redirectErrorStream(true)
                    .start();
            BufferedReader output = process.inputReader();
            StringBuilder said = new StringBuilder();
            String found = null;
            for (String line = output.readLine(); line != null && found == null; line = output.readLine()) {
                said.append(line).append('\n');
                found = line.matches(".*http://\\S+:\\d+/.*") ? line.replaceAll(".*http://\\S+:(\\d+)/.*", "$1") : null;
                if (found != null) {
                    break;
                }
            }
            assertThat(found).as(said.toString()).isNotNull();
            address = URI.create("http://localhost:" + found + "/data/plugin/");
        }

        byte[] bytes(String path) throws IOException, InterruptedException {
            HttpResponse<byte[]> answer = client.send(
                    HttpRequest.newBuilder(address.resolve(path)).build(), HttpResponse.BodyHandlers.ofByteArray());
            assertThat(answer.statusCode())
                    .as(path + ": " + new String(answer.body(), StandardCharsets.UTF_8))
                    .isEqualTo(200);
            return answer.body();
        }

        JsonNode get(String path) throws IOException, InterruptedException {
            return new ObjectMapper().readTree(bytes(path));
        }

        /** Tags of the run, once it has been loaded as far as this one. */
        JsonNode tags(String plugin, String awaited) throws IOException, InterruptedException {
            JsonNode tags = get(plugin + "/tags").path("first");
            for (int i = 0; i < 100 && !tags.has(awaited); i++) {
                Thread.sleep(200);
                tags = get(plugin + "/tags").path("first");
            }
            return tags;
        }

        @Override
        public void close() {
            process.destroy();
            try {
                if (!process.waitFor(10, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
