// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.events;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.fovea.rl.events.format.Event;
import org.fovea.rl.events.format.HistogramProto;
import org.fovea.rl.events.format.SessionLog;
import org.fovea.rl.events.format.Summary;
import org.fovea.rl.events.format.SummaryMetadata;
import org.fovea.rl.events.format.TensorProto;

/**
 * A file of events as TensorBoard reads it: records of a length, its masked CRC32C, a message {@code Event}, and its masked CRC32C, all
 * little-endian. Each event is in the file when the method that writes it returns, so that a process that is killed leaves one record
 * incomplete at most.
 */
public final class EventFile implements AutoCloseable {
    /** With which the names of event files begin. */
    public static final String PREFIX = "events.out.tfevents.";

    private static final int LENGTH_BYTES = 12;
    private static final int CHECKSUM_BYTES = 4;
    private static final int LONGEST_RECORD = 1 << 28;

    private final OutputStream out;

    private EventFile(OutputStream out) {
        this.out = out;
    }

    /**
     * Begins a further file of a run. What earlier ones hold of later steps, from before a crash, is cut off, and a TensorBoard that has
     * read that already is told to forget it.
     *
     * @param steps that the run has taken
     */
    public static EventFile open(Path directory, long steps) throws IOException {
        for (Path earlier : in(directory)) {
            cut(earlier, steps);
        }
        Instant now = Instant.now();
        Path file = directory.resolve(String.format(
                Locale.ROOT,
                "%s%010d.%04d.fovea.%d",
                PREFIX,
                now.getEpochSecond(),
                in(directory).size(),
                ProcessHandle.current().pid()));
        EventFile events = new EventFile(new BufferedOutputStream(
                Files.newOutputStream(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), 1 << 16));
        events.write(Event.newBuilder().setFileVersion("brain.Event:2"), 0);
        if (steps > 0) {
            SessionLog start = SessionLog.newBuilder()
                    .setStatus(SessionLog.SessionStatus.START)
                    .build();
            events.write(Event.newBuilder().setSessionLog(start), steps + 1);
        }
        return events;
    }

    /** The event files of a directory, the oldest first. */
    private static List<Path> in(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> file.getFileName().toString().startsWith(PREFIX))
                    .sorted()
                    .toList();
        }
    }

    /** Cuts off from a file the first record that is incomplete, damaged or of a later step, and what follows it. */
    private static void cut(Path file, long steps) throws IOException {
        long kept = 0;
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            while (true) {
                byte[] data = record(in);
                Event event = Event.parseFrom(data);
                if (event.getStep() > steps && !event.hasSessionLog()) {
                    break;
                }
                kept += LENGTH_BYTES + data.length + CHECKSUM_BYTES;
            }
        } catch (EOFException | InvalidProtocolBufferException end) {
            // What was read until here is kept.
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            if (kept < channel.size()) {
                channel.truncate(kept);
            }
        }
    }

    /** @throws EOFException at the end, also within a record, and where a checksum is wrong */
    private static byte[] record(DataInputStream in) throws IOException {
        ByteBuffer length = ByteBuffer.wrap(bytes(in, LENGTH_BYTES)).order(ByteOrder.LITTLE_ENDIAN);
        long size = length.getLong(0);
        if (masked(length.array(), Long.BYTES) != length.getInt(Long.BYTES) || size < 0 || size > LONGEST_RECORD) {
            throw new EOFException();
        }
        byte[] data = bytes(in, (int) size);
        ByteBuffer checksum = ByteBuffer.wrap(bytes(in, CHECKSUM_BYTES)).order(ByteOrder.LITTLE_ENDIAN);
        if (checksum.getInt(0) != masked(data, data.length)) {
            throw new EOFException();
        }
        return data;
    }

    private static byte[] bytes(DataInputStream in, int count) throws IOException {
        byte[] bytes = in.readNBytes(count);
        if (bytes.length < count) {
            throw new EOFException();
        }
        return bytes;
    }

    /** Numbers of one step, by tag; those that are NaN are left out. */
    public void scalars(long step, List<Scalar> scalars) throws IOException {
        Summary.Builder summary = Summary.newBuilder();
        for (Scalar scalar : scalars) {
            if (!Double.isNaN(scalar.value)) {
                summary.addValue(Summary.Value.newBuilder().setTag(scalar.tag).setSimpleValue((float) scalar.value));
            }
        }
        write(Event.newBuilder().setSummary(summary), step);
    }

    /** A number under its tag. */
    public record Scalar(String tag, double value) {}

    /** How numbers are spread. */
    public void histogram(long step, String tag, float[] values) throws IOException {
        HistogramProto histogram = Histogram.of(values);
        write(step, Summary.Value.newBuilder().setTag(tag).setHisto(histogram));
    }

    /** A text in Markdown. */
    public void text(long step, String tag, String markdown) throws IOException {
        SummaryMetadata metadata = SummaryMetadata.newBuilder()
                .setPluginData(SummaryMetadata.PluginData.newBuilder().setPluginName("text"))
                .setDataClass(SummaryMetadata.DataClass.DATA_CLASS_TENSOR)
                .build();
        TensorProto tensor = TensorProto.newBuilder()
                .setDtype(TensorProto.DataType.DT_STRING)
                .addStringVal(ByteString.copyFromUtf8(markdown))
                .build();
        write(step, Summary.Value.newBuilder().setTag(tag).setMetadata(metadata).setTensor(tensor));
    }

    /** A picture in PNG. */
    public void image(long step, String tag, int width, int height, byte[] png) throws IOException {
        Summary.Image image = Summary.Image.newBuilder()
                .setWidth(width)
                .setHeight(height)
                .setColorspace(3)
                .setEncodedImageString(ByteString.copyFrom(png))
                .build();
        write(step, Summary.Value.newBuilder().setTag(tag).setImage(image));
    }

    private void write(long step, Summary.Value.Builder value) throws IOException {
        write(Event.newBuilder().setSummary(Summary.newBuilder().addValue(value)), step);
    }

    private void write(Event.Builder event, long step) throws IOException {
        Instant now = Instant.now();
        byte[] data = event.setStep(step)
                .setWallTime(now.getEpochSecond() + now.getNano() * 1e-9)
                .build()
                .toByteArray();
        ByteBuffer record = ByteBuffer.allocate(LENGTH_BYTES + data.length + CHECKSUM_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(data.length);
        record.putInt(masked(record.array(), Long.BYTES)).put(data).putInt(masked(data, data.length));
        out.write(record.array());
        out.flush();
    }

    /** CRC32C of the first bytes, turned and shifted as TensorFlow's record files have it. */
    private static int masked(byte[] data, int length) {
        CRC32C checksum = new CRC32C();
        checksum.update(data, 0, length);
        return Integer.rotateRight((int) checksum.getValue(), 15) + 0xa282ead8;
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
