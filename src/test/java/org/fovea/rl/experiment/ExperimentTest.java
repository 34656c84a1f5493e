// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Experiment.State;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunInUseException;
import org.fovea.rl.run.RunLock;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
class ExperimentTest {
    private static final Provenance HERE = new Provenance("fovea test", "1", "abc", "a machine", "17");

    @TempDir
    private Path directory;

    private static List<Cell> cells(int seeds) {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, 6, Map.of());
        return IntStream.rangeClosed(1, seeds)
                .mapToObj(seed -> new Cell("a", spec.withSeed(seed)))
                .toList();
    }

    /** Counts what is told, and can do something about it. */
    private static class Counting implements Experiment.Listener {
        final List<String> started = new ArrayList<>();
        final AtomicInteger iterations = new AtomicInteger();

        @Override
        public synchronized void started(Cell cell, long steps) {
            started.add(cell.name() + " " + steps);
        }

        @Override
        public void progressed(Cell cell, Progress progress) {
            iterations.incrementAndGet();
        }

        @Override
        public void ended(Outcome outcome) {}
    }

    private List<Outcome> run(List<Cell> cells, int jobs, Path out, Experiment.Listener listener, BooleanSupplier stop)
            throws IOException {
        return new Experiment(out, cells, 10, HERE)
                .run(
                        cell -> true,
                        jobs,
                        () -> Runs.cpu(1),
                        PlaySettings.DEFAULT,
                        Double.POSITIVE_INFINITY,
                        listener,
                        stop);
    }

    @Test
    void onlyThoseThatAreWantedAreRun() throws IOException {
        List<Cell> cells = cells(3);
        List<Outcome> outcomes = new Experiment(directory, cells, 10, HERE)
                .run(
                        cells.get(1)::equals,
                        2,
                        () -> Runs.cpu(1),
                        PlaySettings.DEFAULT,
                        1e9,
                        new Counting(),
                        () -> false);
        assertThat(outcomes).extracting(Outcome::state).containsExactly(State.NOT_RUN, State.DONE, State.NOT_RUN);
    }

    @Test
    void cellsSideBySideGiveWhatTheyGiveAlone() throws IOException {
        List<Outcome> alone = run(cells(3), 1, directory.resolve("alone"), new Counting(), () -> false);
        List<Outcome> together = run(cells(3), 3, directory.resolve("together"), new Counting(), () -> false);
        for (int i = 0; i < 3; i++) {
            assertThat(together.get(i).state()).isEqualTo(State.DONE);
            assertThat(together.get(i).result().greedy())
                    .isEqualTo(alone.get(i).result().greedy());
            assertThat(together.get(i).result().sampled())
                    .isEqualTo(alone.get(i).result().sampled());
        }
        assertThat(together.get(0).result().greedy())
                .isNotEqualTo(together.get(1).result().greedy());
        assertThat(together.get(2).result().seed()).isEqualTo(3);
    }

    @Test
    void whatWasStoppedGoesOnAndWhatIsDoneStays() throws IOException {
        List<Outcome> whole = run(cells(3), 1, directory.resolve("whole"), new Counting(), () -> false);
        Path out = directory.resolve("parts");
        Counting first = new Counting();
        // In the middle of the second of three runs of six iterations.
        List<Outcome> stopped = run(cells(3), 1, out, first, () -> first.iterations.get() >= 9);
        assertThat(stopped).extracting(Outcome::state).containsExactly(State.DONE, State.BEGUN, State.NOT_RUN);
        long written =
                Files.getLastModifiedTime(out.resolve("cells/a-seed1.json")).toMillis();

        Counting second = new Counting();
        List<Outcome> after = run(cells(3), 1, out, second, () -> false);

        assertThat(second.started).containsExactly("a-seed2 " + 3 * 40 * 13, "a-seed3 0");
        assertThat(Files.getLastModifiedTime(out.resolve("cells/a-seed1.json")).toMillis())
                .isEqualTo(written);
        for (int i = 0; i < 3; i++) {
            assertThat(after.get(i).result().greedy())
                    .isEqualTo(whole.get(i).result().greedy());
            assertThat(after.get(i).result().curve().returns())
                    .isEqualTo(whole.get(i).result().curve().returns());
        }
    }

    @Test
    void aResultIsReadAsItWasWritten() throws IOException {
        Outcome ran = run(cells(1), 1, directory, new Counting(), () -> false).get(0);
        Outcome read = new Experiment(directory, cells(1), 10, HERE).outcomes().get(0);
        assertThat(read.result())
                .usingRecursiveComparison()
                .ignoringFields("seconds")
                .isEqualTo(ran.result());
        assertThat(read.result().provenance()).isEqualTo(HERE);
        assertThat(read.result().curve().steps()).hasSizeGreaterThan(1);
    }

    @Test
    void aScoreOfTooFewEpisodesIsPlayedAgain() throws IOException {
        run(cells(1), 1, directory, new Counting(), () -> false);
        Experiment longer = new Experiment(directory, cells(1), 20, HERE);
        assertThat(longer.outcomes().get(0).state()).isEqualTo(State.BEGUN);
        Counting counting = new Counting();
        Outcome outcome = longer.run(
                        cell -> true, 1, () -> Runs.cpu(1), PlaySettings.DEFAULT, 1e9, counting, () -> false)
                .get(0);
        assertThat(outcome.result().greedy().episodes()).isEqualTo(20);
        assertThat(counting.iterations).hasValue(0);
    }

    @Test
    void aRunThatFailsLeavesTheOthers() throws IOException {
        List<Cell> cells = new ArrayList<>(cells(2));
        cells.add(0, new Cell("wrong", cells.get(0).spec().with(Map.of("minibatches", "100000"))));
        List<Outcome> outcomes = run(cells, 2, directory, new Counting(), () -> false);
        assertThat(outcomes).extracting(Outcome::state).containsExactly(State.FAILED, State.DONE, State.DONE);
        assertThat(outcomes.get(0).failure()).hasMessageContaining("minibatches");
        assertThat(Group.of(outcomes)).extracting(Group::missing).containsExactly("failed", "");
    }

    @Test
    void aDirectoryOfOtherSettingsIsRefused() throws IOException {
        run(cells(1), 1, directory, new Counting(), () -> false);
        List<Cell> other = List.of(new Cell("a", cells(1).get(0).spec().with(Map.of("clip", "0.1"))));
        assertThatThrownBy(() -> run(other, 1, directory, new Counting(), () -> false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("a-seed1.json is of other settings");
    }

    @Test
    void aFileThatIsNoResultIsNamed() throws IOException {
        run(cells(1), 1, directory, new Counting(), () -> false);
        Files.writeString(directory.resolve("cells/a-seed1.json"), "{\"group\": 3}");
        assertThatThrownBy(() -> new Experiment(directory, cells(1), 10, HERE).outcomes())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("a-seed1.json is not the result of a cell");
    }

    @Test
    void anotherProcessIsRefused() throws IOException {
        RunLock other = RunLock.take(directory);
        try {
            assertThatThrownBy(() -> run(cells(1), 1, directory, new Counting(), () -> false))
                    .isInstanceOf(RunInUseException.class)
                    .hasMessageContaining(directory.toString());
        } finally {
            other.close();
        }
        assertThat(directory.resolve("runs")).doesNotExist();
    }

    /** A directory in the file's place stands for a disk that is full. */
    @Test
    void aFileThatCannotBeWrittenLeavesWhatWasThere() throws IOException {
        Experiment experiment = new Experiment(directory, cells(1), 10, HERE);
        Files.createDirectories(directory.resolve("README.md/x"));
        assertThatThrownBy(() -> experiment.write("README.md", "after")).hasMessageContaining("cannot write");
        assertThat(directory.resolve("README.md/x")).isDirectory();
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files).noneMatch(file -> file.toString().endsWith(".tmp"));
        }
    }
}
