// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.fovea.io.DurableFiles;

/** A table of a run, in a file of its directory: comma-separated lines that begin with the number of an iteration. */
final class RunTable implements AutoCloseable {
    private final Path file;
    private final BufferedWriter writer;
    private final long lastIteration;

    private RunTable(Path file, BufferedWriter writer, long lastIteration) {
        this.file = file;
        this.writer = writer;
        this.lastIteration = lastIteration;
    }

    /**
     * Opens the table of a run after that many iterations. Lines of later ones, from before a crash, are dropped, and so is what
     * follows a line that is not whole.
     */
    static RunTable open(Path file, String header, long iterations) {
        try {
            List<String> lines = new ArrayList<>(List.of(header));
            long last = 0;
            if (iterations > 0 && Files.exists(file)) {
                for (String line : Files.readAllLines(file)) {
                    if (line.equals(header)) {
                        continue;
                    }
                    long iteration = iteration(line, header);
                    if (iteration <= last || iteration > iterations) {
                        break;
                    }
                    lines.add(line);
                    last = iteration;
                }
            }
            DurableFiles.write(
                    file,
                    (String.join(System.lineSeparator(), lines) + System.lineSeparator())
                            .getBytes(StandardCharsets.UTF_8));
            return new RunTable(
                    file, Files.newBufferedWriter(file, StandardCharsets.UTF_8, StandardOpenOption.APPEND), last);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    /** That of a line, 0 if it is not whole. */
    private static long iteration(String line, String header) {
        String[] cells = line.split(",", -1);
        boolean whole = cells.length == header.split(",", -1).length && cells[0].matches("\\d{1,18}");
        return whole ? Long.parseLong(cells[0]) : 0;
    }

    /** Of the last line that was there when it was opened, 0 if there was none. */
    long lastIteration() {
        return lastIteration;
    }

    /** Writes a line, which is in the file when this returns. */
    void append(String line) {
        try {
            writer.write(line);
            writer.newLine();
            writer.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    @Override
    public void close() {
        try {
            writer.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }
}
