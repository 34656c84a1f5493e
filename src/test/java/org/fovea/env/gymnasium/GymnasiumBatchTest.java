// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.fovea.env.EnvironmentException;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.InvalidEnvironmentException;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.env.StepTimeout;
import org.fovea.env.VectorEnvironment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The bridge with a stand-in for Gymnasium, whose environments fail as they are told: needs python3 with numpy. */
@Tag("integration")
@Timeout(120)
class GymnasiumBatchTest {
    private static String name = "";
    private static Path python = Path.of("");

    @BeforeAll
    static void aPythonWithTheStub(@TempDir Path directory) throws Exception {
        assumeTrue(has("numpy"), "python3 with numpy is not installed: the bridge to Gymnasium is not tested");
        python = pythonWithTheStub(directory);
    }

    static Path pythonWithTheStub(Path directory) throws IOException, URISyntaxException {
        Path script = directory.resolve("python3");
        Files.writeString(
                script,
                "#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH='" + stub() + "' exec python3 \"$@\" 2>>'"
                        + script.resolveSibling("errors") + "'\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
        return script;
    }

    private static Path errors() {
        return python.resolveSibling("errors");
    }

    static boolean has(String module) throws IOException, InterruptedException {
        try {
            return new ProcessBuilder("python3", "-c", "import " + module)
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException thereIsNoPython) {
            return false;
        }
    }

    private static Path stub() throws URISyntaxException {
        return Path.of(GymnasiumBatchTest.class.getResource("stub").toURI());
    }

    @AfterEach
    void noProcessIsLeft() throws InterruptedException {
        StepTimeout.set(Double.POSITIVE_INFINITY, failure -> {});
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (pythons() > 0 && System.nanoTime() < end) {
            Thread.sleep(20);
        }
        assertThat(pythons()).isZero();
    }

    private static long pythons() {
        return ProcessHandle.current()
                .descendants()
                .filter(process -> process.info().command().orElse("").contains("python"))
                .count();
    }

    private static EnvironmentSpec spec(String id, Map<String, String> arguments) {
        name = new GymnasiumName(id, arguments, List.of(), python.toString()).toString();
        return Environments.get(name);
    }

    private static StepBatch results(VectorEnvironment batch) {
        return StepBatch.allocate(batch.count(), batch.observationSpace().size());
    }

    /** Observations, rewards and ends of some steps. */
    private static List<String> play(int... counts) {
        List<String> seen = new ArrayList<>();
        List<VectorEnvironment> batches = spec("Faulty-v0", Map.of()).createAll(counts);
        int first = 0;
        for (VectorEnvironment batch : batches) {
            StepBatch result = results(batch);
            batch.reset(3, first, result.observations());
            List<StringBuilder> rows = new ArrayList<>();
            for (int i = 0; i < batch.count(); i++) {
                rows.add(new StringBuilder().append(result.observations()[2 * i]));
            }
            int[] choices = new int[batch.count()];
            for (int step = 0; step < 20; step++) {
                for (int i = 0; i < choices.length; i++) {
                    choices[i] = (step * (first + i + 1)) % 3;
                }
                batch.step(choices, new float[0], result);
                for (int i = 0; i < choices.length; i++) {
                    boolean ended = result.terminated()[i] || result.truncated()[i];
                    rows.get(i)
                            .append(' ')
                            .append(Arrays.toString(Arrays.copyOfRange(result.observations(), 2 * i, 2 * i + 2)))
                            .append(result.rewards()[i])
                            .append(result.terminated()[i] ? "T" : result.truncated()[i] ? "C" : "")
                            .append(ended ? result.finalObservations()[2 * i + 1] : "");
                }
            }
            rows.forEach(row -> seen.add(row.toString()));
            first += batch.count();
            batch.close();
        }
        return seen;
    }

    @Test
    void theSameEpisodesHoweverTheyAreCut() {
        List<String> whole = play(6);
        assertThat(whole).doesNotHaveDuplicates();
        assertThat(play(1, 3, 2)).isEqualTo(whole);
        // Both kinds of end, and the last observation of the episode beside the first of the next.
        assertThat(whole.get(0)).contains("]7.0T67.0", "]7.0C77.0");
    }

    @Test
    void everySpace() {
        try (VectorEnvironment batch = spec("Everything-v0", Map.of()).create(3)) {
            Space observations = batch.observationSpace();
            assertThat(observations.toString())
                    .isEqualTo(
                            "Dict{choice=Discrete[n=3, start=-1], many=MultiDiscrete[2, 3], bits=MultiBinary[n=2], numbers=Tuple["
                                    + "Box[2 numbers in [-1.0, 1.0]], Box[[] numbers in [0.0, 9.0]]],"
                                    + " picture=Image[channels=1, height=2, width=3]}");
            StepBatch result = results(batch);
            batch.reset(1, 0, result.observations());
            batch.step(new int[] {0, 0, 0, 1, 2, 1, 1, 1, 0}, new float[0], result);
            assertThat(Arrays.copyOfRange(result.observations(), 19, 38))
                    .containsExactly(0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0.25f, -0.5f, 1, 249, 250, 251, 252, 253, 254);
            assertThat(result.rewards()).containsExactly(0, 1, 0);
            batch.step(new int[9], new float[0], result);
            batch.step(new int[9], new float[0], result);
            assertThat(result.terminated()).containsOnly(true);
            // The picture of the end, and that of the next start.
            assertThat(result.finalObservations()[2 * 19 + 13]).isEqualTo(247);
            assertThat(result.observations()[2 * 19 + 13]).isEqualTo(250);
        }
    }

    @Test
    void masks() {
        try (VectorEnvironment batch = spec("Faulty-v0", Map.of("mask", "True")).create(2)) {
            StepBatch result = results(batch);
            batch.reset(1, 0, result.observations());
            boolean[] allowed = batch.newActionMasks();
            batch.actionMasks(allowed);
            assertThat(allowed).containsExactly(true, false, true, true, false, true);
            batch.step(new int[2], new float[0], result);
            batch.restart(0, result.observations());
            batch.actionMasks(allowed);
            assertThat(allowed).containsExactly(true, false, true, true, true, true);
            assertThat(result.observations()[1]).isZero();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "raise, step 3: step raised ValueError: it is broken",
        "recursion, step 3: step raised RecursionError",
        "exit, step 3: its Python process ended with exit code 7",
        "kill, step 3: its Python process was killed by signal 9 (SIGKILL)",
        "segv, step 3: its Python process was killed by signal 11 (SIGSEGV)",
        "nan, step 4: observation[1] is NaN",
        "outside, step 4: observation[0] is 2000000.0",
        "shape, 'step 4: observation has shape [1], but its space has [2]'",
        "type, 'step 4: observation has elements of type complex128, but its space has float32'",
        "reward, step 4: the reward is Infinity",
        "masklength, 'step 4: the action mask has 4 elements, but the action space has 3 choices'",
        "maskempty, step 4: the action mask allows none of the 3 choices"
    })
    void failuresSayWhere(String fault, String message) {
        boolean mask = fault.startsWith("mask");
        EnvironmentSpec spec = spec("Faulty-v0", Map.of("fault", fault, "mask", mask ? "True" : "False", "only", "0"));
        try (VectorEnvironment batch = spec.create(2)) {
            StepBatch result = results(batch);
            batch.reset(1, 40, result.observations());
            assertThatThrownBy(() -> steps(batch, result, 8))
                    .isInstanceOf(EnvironmentException.class)
                    .hasMessageStartingWith(name + ": environment 40, episode 0, " + message)
                    .satisfies(thrown -> {
                        if (fault.equals("raise")) {
                            assertThat(((PythonException) thrown.getCause()).traceback())
                                    .contains("in step", "raise ValueError(\"it is broken\")")
                                    .doesNotContain("fovea worker");
                        }
                    });
        }
    }

    private static void steps(VectorEnvironment batch, StepBatch result, int count) {
        for (int step = 0; step < count; step++) {
            batch.step(new int[batch.count()], new float[0], result);
        }
    }

    /** One sleeps, which its own watch tells of; one is stopped as a whole, and can tell nothing. */
    @ParameterizedTest
    @CsvSource({"hang", "stop"})
    void stuck(String fault) {
        StepTimeout.set(0.5, failure -> {});
        try (VectorEnvironment batch = spec("Faulty-v0", Map.of("fault", fault)).create(1)) {
            StepBatch result = results(batch);
            batch.reset(1, 0, result.observations());
            assertThatThrownBy(() -> steps(batch, result, 8))
                    .hasMessageContaining("environment 0, episode 0, step 3: did not come back within 0.5 s");
        }
    }

    @Test
    void aSpaceThatChanges() {
        try (VectorEnvironment batch =
                spec("Faulty-v0", Map.of("fault", "space")).create(1)) {
            StepBatch result = results(batch);
            batch.reset(1, 0, result.observations());
            assertThatThrownBy(() -> steps(batch, result, 8))
                    .hasMessageContaining("environment 0, episode 1, step 0: the action space is Discrete");
        }
    }

    @Test
    void copiesMustHaveTheSameSpaces() {
        int perWorker = Runtime.getRuntime().availableProcessors() + 1;
        assertThatThrownBy(() -> spec("Faulty-v0", Map.of("fault", "copies")).create(perWorker))
                .hasMessageContaining("the observation space is Box");
    }

    @Test
    void whatIsPrintedBreaksNothing() throws IOException {
        try (VectorEnvironment batch =
                spec("Faulty-v0", Map.of("fault", "print")).create(1)) {
            StepBatch result = results(batch);
            batch.reset(1, 0, result.observations());
            steps(batch, result, 8);
            assertThat(result.rewards()).containsExactly(1);
        }
        assertThat(errors()).content().contains("printed by the environment", "printed by a child");
    }

    @Test
    void aFailureToCloseIsReported() {
        VectorEnvironment batch = spec("Faulty-v0", Map.of("fault", "close")).create(1);
        assertThatThrownBy(batch::close).hasMessageContaining("close raised OSError: it does not close");
    }

    @Test
    void anEndInTheMidstIsQuiet() throws IOException {
        Files.deleteIfExists(errors());
        VectorEnvironment batch = spec("Faulty-v0", Map.of()).create(4);
        batch.reset(1, 0, results(batch).observations());
        batch.close();
        assertThat(errors()).content().isEmpty();
    }

    @Test
    void whatCannotBePlayed() {
        assertThatThrownBy(() -> spec("Nothing-v0", Map.of()).spaces())
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessage(name + ": Environment `Nothing-v0` doesn't exist.");
        assertThatThrownBy(() -> spec("Faulty-v0", Map.of("fault", "text")).spaces())
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("the observation space at name is Text")
                .hasMessageContaining("Text is not supported; Discrete, MultiDiscrete");
        assertThatThrownBy(() ->
                        Environments.get("gym:A-v0?--python=/no/such/python").spaces())
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("Python cannot be started as /no/such/python; install it");
    }

    @Test
    void names() {
        GymnasiumName all =
                new GymnasiumName("module:Lake-v1", Map.of("a", "x&y=z%"), List.of("m:C", "n:D"), "/opt/a b/python");
        assertThat(all.toString())
                .isEqualTo(
                        "gym:module:Lake-v1?a=x%26y%3Dz%25&--env-wrapper=m:C&--env-wrapper=n:D&--python=/opt/a b/python");
        assertThat(GymnasiumName.parse(all.toString())).isEqualTo(all);
    }
}
