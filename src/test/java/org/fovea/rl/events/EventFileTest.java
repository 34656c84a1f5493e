// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.events;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.fovea.rl.events.EventFile.Scalar;
import org.fovea.rl.events.format.Event;
import org.fovea.rl.events.format.HistogramProto;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Records are framed as TFRecord files are, and nothing of them is doubled or lost but what was half written. */
class EventFileTest {
    @TempDir
    Path directory;

    private static void write(EventFile events, long... steps) throws IOException {
        for (long step : steps) {
            events.scalars(step, List.of(new Scalar("a", step / 2.0), new Scalar("missing", Double.NaN)));
        }
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.sorted().toList();
        }
    }

    /** Reads whole records, checking their checksums by shifts; what follows the last whole one is left. */
    private static List<Event> read(Path file) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        List<Event> events = new ArrayList<>();
        while (bytes.remaining() >= 12) {
            int start = bytes.position();
            long length = bytes.getLong();
            assertThat(bytes.getInt()).isEqualTo(masked(bytes.array(), start, 8));
            if (bytes.remaining() < length + 4) {
                break;
            }
            byte[] data = new byte[(int) length];
            bytes.get(data);
            assertThat(bytes.getInt()).isEqualTo(masked(data, 0, data.length));
            events.add(Event.parseFrom(data));
        }
        return events;
    }

    private static int masked(byte[] data, int from, int length) {
        int crc = -1;
        for (int i = from; i < from + length; i++) {
            crc ^= data[i] & 0xff;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) != 0 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
            }
        }
        crc = ~crc;
        return (crc >>> 15 | crc << 17) + 0xa282ead8;
    }

    private List<Long> stepsOfSummaries() throws IOException {
        List<Long> steps = new ArrayList<>();
        for (Path file : files()) {
            read(file).stream().filter(Event::hasSummary).map(Event::getStep).forEach(steps::add);
        }
        return steps;
    }

    @Test
    void recordsAreFramed() throws IOException {
        try (EventFile events = EventFile.open(directory, 0)) {
            write(events, 10, 20);
        }
        List<Event> read = read(files().get(0));
        assertThat(read.get(0).getFileVersion()).isEqualTo("brain.Event:2");
        assertThat(read.get(1).getStep()).isEqualTo(10);
        assertThat(read.get(2).getSummary().getValueList()).hasSize(1);
        assertThat(read.get(2).getSummary().getValue(0).getSimpleValue()).isEqualTo(10);
        assertThat(read.get(2).getWallTime()).isBetween(1.7e9, 1e11);
    }

    @Test
    void stepsAfterTheCheckpointAreNotDoubled() throws IOException {
        try (EventFile events = EventFile.open(directory, 0)) {
            write(events, 10, 20, 30, 40);
        }
        try (EventFile events = EventFile.open(directory, 20)) {
            assertThat(stepsOfSummaries()).containsExactly(10L, 20L);
            write(events, 30, 40, 50);
        }
        assertThat(stepsOfSummaries()).containsExactly(10L, 20L, 30L, 40L, 50L);
        // A resumed run resumed from before its resumption: nothing of either file is left behind.
        try (EventFile events = EventFile.open(directory, 10)) {
            write(events, 20, 30);
        }
        assertThat(stepsOfSummaries()).containsExactly(10L, 20L, 30L);
    }

    @Test
    void aFileCutShortLosesItsLastEvent() throws IOException {
        try (EventFile events = EventFile.open(directory, 0)) {
            write(events, 10, 20, 30);
        }
        byte[] whole = Files.readAllBytes(files().get(0));
        for (int lost = 1; lost < 30; lost++) {
            Files.write(files().get(0), Arrays.copyOf(whole, whole.length - lost));
            try (EventFile events = EventFile.open(directory, 30)) {
                assertThat(stepsOfSummaries()).as("%d bytes", lost).containsExactly(10L, 20L);
                write(events, 40);
            }
            assertThat(stepsOfSummaries()).containsExactly(10L, 20L, 40L);
            Files.delete(files().get(1));
        }
    }

    @Test
    void aDamagedRecordEndsWhatIsKept() throws IOException {
        try (EventFile events = EventFile.open(directory, 0)) {
            write(events, 10, 20, 30);
        }
        Path file = files().get(0);
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 45] ^= 1;
        Files.write(file, bytes);
        EventFile.open(directory, 30).close();
        assertThat(stepsOfSummaries()).hasSizeLessThan(3).startsWith(10L);
    }

    @Test
    void histogramsCountEachNumber() {
        HistogramProto histogram = Histogram.of(new float[] {-1, -1, 0.5f, 2, Float.NaN, Float.POSITIVE_INFINITY});
        assertThat(histogram.getNum()).isEqualTo(6);
        assertThat(histogram.getMin()).isEqualTo(-1);
        assertThat(histogram.getMax()).isEqualTo(2);
        assertThat(histogram.getSum()).isEqualTo(0.5);
        assertThat(histogram.getBucketList().stream()
                        .mapToDouble(Double::doubleValue)
                        .sum())
                .isEqualTo(6);
        assertThat(histogram.getBucketLimitList()).isSorted().hasSameSizeAs(histogram.getBucketList());
        assertThat(Histogram.of(new float[] {3, 3}).getBucketList()).contains(2.0);
        assertThat(Histogram.of(new float[0]).getNum()).isZero();
    }
}
