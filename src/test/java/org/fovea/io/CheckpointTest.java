// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {

    @TempDir
    Path folder;

    private Path run() {
        return folder.resolve("runs").resolve("one");
    }

    private static Map<String, TensorData> tensors(float value) {
        return Map.of("w", TensorData.ofFloats(new float[] {value, 2, 3}, 3));
    }

    private Path save(long step) throws IOException {
        return Checkpoint.save(
                run(),
                step,
                tensors(step),
                Map.of("env", "CartPole-v1"),
                Map.of(
                        "state.bin",
                        new byte[] {1, 2, (byte) step},
                        "config.json",
                        "{}".getBytes(StandardCharsets.UTF_8)));
    }

    private List<String> namesInRun() throws IOException {
        try (Stream<Path> paths = Files.list(run())) {
            return paths.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void whatIsSavedIsLoaded() throws IOException {
        assertThat(Checkpoint.latest(run())).isEmpty();
        assertThatThrownBy(() -> Checkpoint.load(run()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(run() + " has no checkpoint");
        Path directory = save(123);
        assertThat(Checkpoint.latest(run())).hasValue(directory);
        Checkpoint checkpoint = Checkpoint.load(run());
        assertThat(checkpoint.step()).isEqualTo(123);
        assertThat(checkpoint.tensors()).isEqualTo(tensors(123));
        assertThat(checkpoint.metadata()).isEqualTo(Map.of("env", "CartPole-v1"));
        assertThat(checkpoint.files()).containsOnlyKeys("state.bin", "config.json");
        assertThat(checkpoint.files().get("state.bin")).containsExactly(1, 2, 123);
    }

    @Test
    void theLastTwoAreKept() throws IOException {
        save(9);
        save(10);
        assertThat(namesInRun()).containsExactly("checkpoint-000000000009", "checkpoint-000000000010");
        save(100);
        assertThat(namesInRun()).containsExactly("checkpoint-000000000010", "checkpoint-000000000100");
        assertThat(Checkpoint.load(run()).step()).isEqualTo(100);
    }

    @Test
    void aStepSavedAgainReplacesTheFirst() throws IOException {
        save(5);
        for (int again = 1; again <= 11; again++) {
            Checkpoint.save(run(), 5, tensors(50 + again), Map.of(), Map.of());
            assertThat(Checkpoint.load(run()).step()).isEqualTo(5);
            assertThat(Checkpoint.load(run()).tensors()).isEqualTo(tensors(50 + again));
        }
        assertThat(namesInRun()).containsExactly("checkpoint-000000000005.10", "checkpoint-000000000005.11");
        save(6);
        assertThat(Checkpoint.load(run()).step()).isEqualTo(6);
    }

    @Test
    void anEarlierStepThanTheNewestIsRefused() throws IOException {
        Path newest = save(50);
        assertThatThrownBy(() -> save(7))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(newest + " is of a later step");
        assertThat(Checkpoint.load(run()).step()).isEqualTo(50);
    }

    @Test
    void whatAKilledRunLeftIsIgnoredAndCleanedUp() throws IOException {
        save(5);
        Path leftover = Files.createDirectories(run().resolve(".checkpoint-000000000009.tmp"));
        Files.writeString(leftover.resolve("tensors.safetensors"), "half");
        Path sameStep = Files.createDirectories(run().resolve(".checkpoint-000000000006.tmp"));
        Files.writeString(sameStep.resolve("tensors.safetensors"), "half");
        Files.writeString(run().resolve("progress.csv"), "kept");
        assertThat(Checkpoint.load(run()).step()).isEqualTo(5);
        save(6);
        assertThat(namesInRun()).containsExactly("checkpoint-000000000005", "checkpoint-000000000006", "progress.csv");
        assertThat(Checkpoint.load(run()).step()).isEqualTo(6);
    }

    @ParameterizedTest
    @ValueSource(strings = {"tensors.safetensors", "state.bin", "config.json", "manifest.json"})
    void aDamagedFileIsNamedWithTheWayOut(String name) throws IOException {
        save(5);
        Path newest = save(6);
        Path file = newest.resolve(name);
        byte[] good = Files.readAllBytes(file);

        byte[] changed = good.clone();
        changed[good.length / 2] ^= 0x10;
        Files.write(file, changed);
        assertDamaged(newest, name);
        Files.write(file, java.util.Arrays.copyOf(good, good.length - 1));
        assertDamaged(newest, name);
        Files.write(file, new byte[0]);
        assertDamaged(newest, name);
        Files.delete(file);
        assertDamaged(newest, name);

        Files.write(file, good);
        assertThat(Checkpoint.load(run()).step()).isEqualTo(6);
        Files.delete(file);
        DurableFiles.deleteTree(newest);
        assertThat(Checkpoint.load(run()).step())
                .as("after the advice was followed")
                .isEqualTo(5);
    }

    private void assertDamaged(Path newest, String name) {
        assertThatThrownBy(() -> Checkpoint.load(run()))
                .isInstanceOf(CorruptFileException.class)
                // A changed manifest may accuse a file that it lists.
                .hasMessageContaining(
                        name.equals("manifest.json") ? newest.toString() : newest.resolve(name) + " is damaged")
                .hasMessageContaining("delete " + newest + " to go on from checkpoint-000000000005");
    }

    @Test
    void aDamagedOnlyCheckpointSaysThatThereIsNoOther() throws IOException {
        Files.delete(save(5).resolve("state.bin"));
        assertThatThrownBy(() -> Checkpoint.load(run()))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("state.bin is damaged: it is missing")
                .hasMessageContaining("no other checkpoint");
    }

    @Test
    void aSaveThatFailsLeavesTheLastGoodOne() throws IOException {
        save(5);
        // Fails once writing has begun: the format has no room for a tensor of this name.
        Map<String, TensorData> impossible = Map.of("__metadata__", TensorData.ofInts(new int[] {1}));
        assertThatThrownBy(() -> Checkpoint.save(run(), 6, impossible, Map.of(), Map.of()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(namesInRun()).containsExactly("checkpoint-000000000005");
        assertThat(Checkpoint.load(run()).tensors()).isEqualTo(tensors(5));
    }

    @Test
    void anUnwritableDirectoryIsNamed() throws IOException {
        save(5);
        Path inAFile = Files.writeString(folder.resolve("file"), "").resolve("run");
        assertThatThrownBy(() -> Checkpoint.save(inAFile, 6, tensors(1), Map.of(), Map.of()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot save the checkpoint of step 6 in " + inAFile);

        Path readOnly = run();
        assertThat(readOnly.toFile().setWritable(false)).isTrue();
        try {
            Assumptions.assumeFalse(Files.isWritable(readOnly), "the superuser may write anywhere");
            assertThatThrownBy(() -> save(6)).isInstanceOf(IOException.class).hasMessageContaining(readOnly.toString());
            assertThat(Checkpoint.load(run()).step()).isEqualTo(5);
        } finally {
            assertThat(readOnly.toFile().setWritable(true)).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "../x", "a/b", ".hidden", "tensors.safetensors", "manifest.json"})
    void whatCannotNameAFileIsRefused(String name) {
        assertThatThrownBy(() -> Checkpoint.save(run(), 1, tensors(1), Map.of(), Map.of(name, new byte[1])))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'" + name + "'");
    }
}
