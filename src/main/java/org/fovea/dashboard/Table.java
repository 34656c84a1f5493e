// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * A table of numbers, comma-separated lines under a heading, that is read as it grows: only what was added. A large one that has not been
 * seen yet is read at places all over it and not in between. A line that is not whole, or is none of the table, is passed over.
 */
final class Table {
    /** Above this a file is sampled: to read all of it would take longer than anyone waits for a view. */
    private static final long LARGE_BYTES = 6L << 20;

    private static final int SAMPLES = 3_000;
    private static final int PROBE = 48;
    private static final int LONGEST_LINE = 1 << 13;

    private final Path file;
    private List<String> columns = List.of();
    private double[][] values = {};
    private int rows;
    private boolean sampled;

    /** How far the file was read, and what stood just before: if that has changed, the file was written anew. */
    private long position;

    private byte[] probe = {};

    Table(Path file) {
        this.file = file;
    }

    /** Names of the columns. */
    synchronized List<String> columns() {
        return columns;
    }

    synchronized int rows() {
        return rows;
    }

    /** Whether only some rows are here. */
    synchronized boolean isSampled() {
        return sampled;
    }

    /** The numbers of a column, NaN where there are none; all NaN if the table has no such column. */
    synchronized double[] column(String name) {
        int index = columns.indexOf(name);
        if (index < 0) {
            double[] missing = new double[rows];
            Arrays.fill(missing, Double.NaN);
            return missing;
        }
        return Arrays.copyOf(values[index], rows);
    }

    /** Bytes that it takes. */
    synchronized long size() {
        return values.length == 0 ? 0 : 8L * values.length * values[0].length;
    }

    /** Reads what is new; a file that isn't there is an empty table. */
    synchronized void refresh() throws IOException {
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(file.getFileName() + " of this run is not a regular file");
        }
        try (FileChannel channel = FileChannel.open(file, Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS))) {
            long size = channel.size();
            if (size < position || !Arrays.equals(probe, read(channel, position - probe.length, probe.length))) {
                forget();
            }
            if (position == 0 && size > 0) {
                readHeading(channel);
            }
            if (position > 0 && size - position > LARGE_BYTES) {
                sample(channel, size);
            } else if (position > 0) {
                readOn(channel, size);
            }
        } catch (NoSuchFileException e) {
            forget();
        }
    }

    private void forget() {
        columns = List.of();
        values = new double[0][];
        rows = 0;
        sampled = false;
        position = 0;
        probe = new byte[0];
    }

    private void readHeading(FileChannel channel) throws IOException {
        byte[] start = read(channel, 0, LONGEST_LINE);
        int end = indexOf(start, (byte) '\n', 0);
        if (end > 0) {
            columns = List.of(
                    new String(start, 0, end, StandardCharsets.UTF_8).strip().split(",", -1));
            values = new double[columns.size()][64];
            advance(channel, end + 1L);
        }
    }

    private void advance(FileChannel channel, long to) throws IOException {
        position = to;
        int length = (int) Math.min(PROBE, to);
        probe = read(channel, to - length, length);
    }

    private void readOn(FileChannel channel, long size) throws IOException {
        byte[] added = read(channel, position, (int) (size - position));
        int at = 0;
        for (int end = indexOf(added, (byte) '\n', at); end >= 0; end = indexOf(added, (byte) '\n', at)) {
            addRow(added, at, end);
            at = end + 1;
        }
        if (at > 0) {
            advance(channel, position + at);
        }
    }

    private void sample(FileChannel channel, long size) throws IOException {
        sampled = true;
        long from = position;
        for (int i = 0; i < SAMPLES; i++) {
            long place = from + (size - from) * i / SAMPLES;
            byte[] some = read(channel, place, 512);
            int start = i == 0 ? 0 : indexOf(some, (byte) '\n', 0) + 1;
            int end = start == 0 && i > 0 ? -1 : indexOf(some, (byte) '\n', start);
            if (end > 0) {
                addRow(some, start, end);
            }
        }
        byte[] last = read(channel, Math.max(from, size - LONGEST_LINE), (int) Math.min(LONGEST_LINE, size - from));
        int end = lastIndexOf(last, last.length - 1);
        int start = lastIndexOf(last, end - 1);
        if (start >= 0 && end > start) {
            addRow(last, start + 1, end);
        }
        advance(channel, size - (last.length - 1 - end));
    }

    private static int lastIndexOf(byte[] bytes, int from) {
        int at = from;
        while (at >= 0 && bytes[at] != '\n') {
            at--;
        }
        return at;
    }

    private void addRow(byte[] bytes, int from, int to) {
        int end = to > from && bytes[to - 1] == '\r' ? to - 1 : to;
        int cells = 1;
        for (int i = from; i < end; i++) {
            cells += bytes[i] == ',' ? 1 : 0;
        }
        if (cells != columns.size()) {
            return;
        }
        if (rows == values[0].length) {
            for (int column = 0; column < values.length; column++) {
                values[column] = Arrays.copyOf(values[column], 2 * rows);
            }
        }
        int at = from;
        for (int column = 0; column < values.length; column++) {
            int cellEnd = indexOf(bytes, (byte) ',', at);
            cellEnd = cellEnd < 0 || cellEnd > end ? end : cellEnd;
            values[column][rows] = Decimal.parse(bytes, at, cellEnd);
            at = cellEnd + 1;
        }
        if (!Double.isNaN(values[0][rows]) && (rows == 0 || values[0][rows] > values[0][rows - 1])) {
            rows++;
        }
    }

    private static int indexOf(byte[] bytes, byte wanted, int from) {
        for (int i = from; i < bytes.length; i++) {
            if (bytes[i] == wanted) {
                return i;
            }
        }
        return -1;
    }

    /** What there is of so many bytes. */
    private static byte[] read(FileChannel channel, long from, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining() && channel.read(buffer, from + buffer.position()) > 0) {
            // Reads on.
        }
        return Arrays.copyOf(buffer.array(), buffer.position());
    }
}
