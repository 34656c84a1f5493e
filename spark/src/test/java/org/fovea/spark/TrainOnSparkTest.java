// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Applications on Spark as spark-submit starts them: in one process, and on a master and two workers. */
@Tag("cluster")
class TrainOnSparkTest {
    private static final long SECONDS = 120;

    /** Learned in seconds; the state of the environments is saved, so that a run goes on exactly. */
    private static final String[] RUN = {
        "--env", "CartPole-v1", "--policy", "mlp", "--steps", "200000", "--seed", "5", "--final-episodes", "20"
    };

    @TempDir
    private Path directory;

    private SparkInstallation spark;

    @BeforeEach
    void install() throws IOException {
        spark = new SparkInstallation(directory);
    }

    @AfterEach
    void stop() throws InterruptedException {
        spark.close();
    }

    private static String[] with(String[] run, String... more) {
        return Stream.concat(Stream.of(run), Stream.of(more)).toArray(String[]::new);
    }

    private static int await(Process process) throws InterruptedException {
        assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    private static JsonNode result(Path run) throws IOException {
        return new ObjectMapper().readTree(Files.readString(run.resolve("result.json")));
    }

    private static List<Double> scores(Path run) throws IOException {
        JsonNode result = result(run);
        List<Double> scores = new ArrayList<>();
        for (String name : List.of("return_mean", "return_std", "return_mean_sampled", "return_std_sampled", "steps")) {
            scores.add(result.path(name).asDouble(Double.NaN));
        }
        return scores;
    }

    private static boolean hasCheckpoint(Path run) throws IOException {
        if (!Files.isDirectory(run)) {
            return false;
        }
        try (Stream<Path> files = Files.list(run)) {
            return files.anyMatch(file -> file.getFileName().toString().startsWith("checkpoint-"));
        }
    }

    @Test
    void aKilledWorkerCostsTimeAndNoScore() throws IOException, InterruptedException {
        Path alone = directory.resolve("alone");
        int code = await(
                spark.submit("local", "local[2]", List.of(), with(RUN, "--ranks", "2", "--out", alone.toString())));
        assertThat(code).as(spark.log("local")).isZero();
        assertThat(result(alone).path("end").asText()).isEqualTo("complete");

        spark.startMaster();
        spark.startWorker("first");
        Process second = spark.startWorker("second");
        spark.awaitWorkers(2);
        Path shared = directory.resolve("shared");
        Process application = spark.submit(
                "cluster",
                spark.master(),
                List.of("spark.executor.cores=1", "spark.cores.max=2", "spark.executor.memory=512m"),
                with(RUN, "--ranks", "2", "--out", shared.toString()));
        SparkInstallation.await(() -> hasCheckpoint(shared) || !application.isAlive(), "a checkpoint");
        second.destroyForcibly();
        assertThat(await(application))
                .as(spark.log("cluster") + spark.executorLogs())
                .isZero();
        assertThat(spark.log("cluster"))
                .contains("is gone: ")
                .contains("fovea: attempt 1 ended early: ")
                .contains(
                        "fovea: Spark starts the 2 ranks again, for attempt 2; the run goes on from its last checkpoint");
        assertThat(scores(shared)).isEqualTo(scores(alone));
    }

    @Test
    void aRunIsKeptInAFileSystemOfHadoop() throws IOException, InterruptedException {
        Path kept = directory.resolve("kept");
        String[] shorter = {"--env", "CartPole-v1", "--policy", "mlp", "--steps", "4096", "--final-episodes", "0"};
        String uri = kept.toUri().toString();
        assertThat(await(spark.submit("first", "local[1]", List.of(), with(shorter, "--ranks", "1", "--out", uri))))
                .as(spark.log("first"))
                .isZero();
        assertThat(hasCheckpoint(kept)).isTrue();
        assertThat(result(kept).path("steps").asLong()).isEqualTo(4096);
        shorter[5] = "8192";
        assertThat(await(spark.submit(
                        "second", "local[1]", List.of(), with(shorter, "--ranks", "1", "--out", uri, "--resume"))))
                .as(spark.log("second"))
                .isZero();
        assertThat(result(kept).path("steps").asLong()).isEqualTo(8192);
        // A cluster has nothing to try again where an option does not exist.
        assertThat(await(spark.submit(
                        "third", "local[1]", List.of(), "--ranks", "1", "--out", uri + "-other", "--no-such-option")))
                .isEqualTo(2);
        assertThat(spark.log("third")).contains("--no-such-option").doesNotContain("attempt 2");
    }

    @Test
    void aSweepIsOneTaskForEachRun() throws IOException, InterruptedException {
        Path out = directory.resolve("sweep");
        String[] sweep = {
            "--sweep",
            "--out",
            out.toString(),
            "--env",
            "CartPole-v1",
            "--policy",
            "mlp",
            "--steps",
            "2048",
            "--grid",
            "lr=1e-3,3e-4",
            "--seeds",
            "2",
            "--episodes",
            "5"
        };
        assertThat(await(spark.submit("sweep", "local[2]", List.of(), sweep)))
                .as(spark.log("sweep"))
                .isZero();
        assertThat(spark.log("sweep"))
                .contains("4 of 4 runs are left, each a task of its own")
                .contains("learning_rate=1e-3")
                .contains("learning_rate=3e-4");
        for (String cell : List.of("v1-seed1", "v1-seed2", "v2-seed1", "v2-seed2")) {
            assertThat(out.resolve("cells").resolve(cell + ".json")).isRegularFile();
        }
        assertThat(out.resolve("sweep.json")).isRegularFile();
        assertThat(await(spark.submit("again", "local[2]", List.of(), sweep))).isZero();
        assertThat(spark.log("again")).contains("0 of 4 runs are left").contains("learning_rate=3e-4");
    }
}
