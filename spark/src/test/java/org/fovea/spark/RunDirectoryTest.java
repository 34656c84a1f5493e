// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Copies to and from Hadoop's file system of this machine. */
class RunDirectoryTest {
    @TempDir
    private Path directory;

    private final Configuration hadoop = new Configuration();

    private RunDirectory open() throws IOException {
        return RunDirectory.open(directory.resolve("remote").toUri().toString(), directory.resolve("scratch"), hadoop);
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private List<String> remote() throws IOException {
        Path root = directory.resolve("remote");
        try (Stream<Path> tree = Files.walk(root)) {
            return tree.filter(Files::isRegularFile)
                    .filter(file -> !file.getFileName().toString().endsWith(".crc"))
                    .map(file -> root.relativize(file).toString())
                    .sorted()
                    .toList();
        }
    }

    @Test
    void aRunGoesToAnotherMachineAndOnFromThere() throws IOException {
        try (RunDirectory first = open()) {
            assertThat(first.hasCheckpoint()).isFalse();
            write(first.local().resolve("checkpoint-000000000001/tensors"), "1");
            write(first.local().resolve("best/checkpoint-000000000001/tensors"), "b");
            write(first.local().resolve("log.csv"), "a row");
            write(first.local().resolve(".lock"), "");
            write(first.local().resolve(".checkpoint-000000000002.tmp/tensors"), "half");
            first.send();
        }
        assertThat(remote())
                .containsExactly("best/checkpoint-000000000001/tensors", "checkpoint-000000000001/tensors", "log.csv");
        try (RunDirectory second = open()) {
            assertThat(second.hasCheckpoint()).isTrue();
            assertThat(second.local().resolve("log.csv")).hasContent("a row");
            assertThat(second.local().resolve("best/checkpoint-000000000001/tensors"))
                    .hasContent("b");
        }
        assertThat(directory.resolve("scratch")).isEmptyDirectory();
    }

    @Test
    void whatIsDeletedHereIsDeletedThereAfterWhatIsNew() throws IOException {
        try (RunDirectory run = open()) {
            write(run.local().resolve("checkpoint-000000000001/tensors"), "1");
            run.send();
            write(run.local().resolve("checkpoint-000000000002/tensors"), "2");
            write(run.local().resolve("log.csv"), "two rows");
            Files.delete(run.local().resolve("checkpoint-000000000001/tensors"));
            Files.delete(run.local().resolve("checkpoint-000000000001"));
            run.send();
        }
        assertThat(remote()).containsExactly("checkpoint-000000000002/tensors", "log.csv");
        assertThat(directory.resolve("remote/log.csv")).hasContent("two rows");
    }

    @Test
    void aDirectoryThatAllSeeIsUsedInPlace() throws IOException {
        Path shared = Files.createDirectories(directory.resolve("shared"));
        try (RunDirectory run = RunDirectory.open(shared.toString(), directory.resolve("scratch"), hadoop)) {
            assertThat(run.local()).isEqualTo(shared);
            run.send();
        }
        assertThat(shared).isEmptyDirectory();
        assertThat(RunDirectory.isUri("hdfs://host/runs")).isTrue();
        assertThat(RunDirectory.isUri("runs/a:b")).isFalse();
    }
}
