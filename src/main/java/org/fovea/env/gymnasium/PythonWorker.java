// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.fovea.env.InvalidEnvironmentException;
import org.fovea.env.StepTimeout;
import org.jspecify.annotations.Nullable;

/** A process of Python that plays some copies of an environment. Used by one thread at a time. */
final class PythonWorker {
    static final int RESET = 2;
    static final int STEP = 3;
    static final int RESTART = 4;
    private static final int MAKE = 0;
    private static final int START = 1;
    private static final int QUIT = 5;

    /** Seconds. */
    private static final double DEFAULT_TIMEOUT = 60;

    private static final double CLOSING_SECONDS = 10;
    private static final int SIGNALED = 128;
    private static final Map<Integer, String> SIGNALS =
            Map.of(4, "SIGILL", 6, "SIGABRT", 7, "SIGBUS", 8, "SIGFPE", 9, "SIGKILL", 11, "SIGSEGV", 15, "SIGTERM");
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    /** Reads worker.py from its input, so that there is no file to be left over. */
    private static final String BOOTSTRAP = """
            import os;n=int.from_bytes(os.read(0,4),'little');c=b''
            while len(c)<n:c+=os.read(0,n-len(c)) or os._exit(0)
            exec(compile(c,'<fovea worker>','exec'))""";

    private final Process process;
    private final OutputStream out;
    private final InputStream in;
    private final double timeout;
    private final byte[] header = new byte[4];

    /** Which environment is busy and the number of the request, as the worker says; null before it was started. */
    private volatile @Nullable ByteBuffer shared;

    /** Whether an answer is awaited. */
    private volatile boolean waiting;

    /** That it did not answer in time, and was ended for it. */
    private volatile boolean timedOut;

    /** Counts requests, so that {@link WorkerWatch} can tell one from the next. */
    private final AtomicInteger requests = new AtomicInteger();

    /** Of progress and pixels; its length is not known before the spaces are. */
    private final FileChannel channel;

    /** Where that is until the process has it. From then on it has no name, and is gone with both processes. */
    private @Nullable Path sharedFile;

    /** That it cannot answer any more. */
    private boolean broken;

    private volatile boolean closing;

    private PythonWorker(Process process, double timeout) throws IOException {
        this.process = process;
        this.out = process.getOutputStream();
        this.in = process.getInputStream();
        this.timeout = timeout;
        Path memory = Path.of("/dev/shm");
        Path file = Files.isWritable(memory)
                ? Files.createTempFile(memory, "fovea", null)
                : Files.createTempFile("fovea", null);
        this.sharedFile = file;
        this.channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    /**
     * Starts a process, and asks it to make one environment; {@link #spaces} waits for that.
     *
     * @param fullName for messages
     * @throws InvalidEnvironmentException if there is no such Python
     */
    static PythonWorker start(String fullName, GymnasiumName name) {
        String python = PythonCommand.of(name);
        ProcessBuilder builder =
                new ProcessBuilder(python, "-c", BOOTSTRAP).redirectError(ProcessBuilder.Redirect.INHERIT);
        // There is a worker for every core.
        builder.environment().putIfAbsent("OMP_NUM_THREADS", "1");
        Process process;
        try {
            process = WorkerWatch.start(builder);
        } catch (IOException e) {
            throw new InvalidEnvironmentException(fullName + ": Python cannot be started as " + python
                    + "; install it with Gymnasium (Debian: apt-get install python3-pip, then python3 -m pip install"
                    + " gymnasium), or name another: --python PATH (" + e.getMessage() + ")");
        }
        PythonWorker worker;
        try {
            worker = new PythonWorker(process, limit());
        } catch (IOException e) {
            process.destroyForcibly();
            throw new UncheckedIOException("no memory can be shared with Python", e);
        }
        WorkerWatch.add(worker);
        ObjectNode request = JSON.createObjectNode();
        request.put("id", name.id());
        ObjectNode arguments = request.putObject("args");
        name.arguments().forEach((key, value) -> arguments.put(key, value));
        ArrayNode wrappers = request.putArray("wrappers");
        name.wrappers().forEach(wrapper -> wrappers.add(wrapper));
        request.put("timeout", worker.timeout);
        request.put("parent", ProcessHandle.current().pid());
        request.put("file", String.valueOf(worker.sharedFile));
        byte[] source = source();
        byte[] code = new byte[4 + source.length];
        Frame.littleEndian(code).putInt(source.length).put(source);
        worker.sendSource(code);
        worker.send(MAKE, Frame.of(request));
        return worker;
    }

    /** A process of somebody else's code is not waited for without end, as one's own may be. */
    private static double limit() {
        return Double.isInfinite(StepTimeout.seconds()) ? DEFAULT_TIMEOUT : StepTimeout.seconds();
    }

    private static byte[] source() {
        try (InputStream file = PythonWorker.class.getResourceAsStream("worker.py")) {
            if (file == null) {
                throw new IllegalStateException("worker.py is missing beside " + PythonWorker.class.getName());
            }
            return file.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What the environment's spaces are. Called once, first. */
    JsonNode spaces() throws WorkerFailure {
        try {
            return receiveJson();
        } finally {
            removeFile();
        }
    }

    /**
     * Asks for so many environments; {@link #started} waits for them.
     *
     * @param fileLength of the file that is shared with the process
     */
    void requestStart(int count, int fileLength) {
        try {
            shared = channel.map(FileChannel.MapMode.READ_WRITE, 0, fileLength).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw new UncheckedIOException("no memory can be shared with Python", e);
        }
        send(START, Frame.of(JSON.createObjectNode().put("count", count)));
    }

    /** Waits for what {@link #requestStart} asked for. */
    void started() throws WorkerFailure {
        receiveJson();
    }

    private void removeFile() {
        Path file = sharedFile;
        sharedFile = null;
        if (file != null) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Progress and pixels, as {@link AnswerLayout} says. */
    ByteBuffer file() {
        return Objects.requireNonNull(shared);
    }

    private void sendSource(byte[] code) {
        waiting = true;
        try {
            out.write(code);
        } catch (IOException e) {
            // As with a request.
        }
    }

    /** Sends a request: all bytes of the frame, of which the header is yet to be written. */
    void send(int code, Frame request) {
        requests.incrementAndGet();
        waiting = true;
        try {
            request.send(code, out);
        } catch (IOException e) {
            // It has ended, of which the answer that does not come will tell.
        }
    }

    /**
     * Waits for the answer to {@link #send}.
     *
     * @param frame overwritten
     * @return whether some episode ended
     */
    boolean receive(Frame frame) throws WorkerFailure {
        int length = receiveLength();
        if (length > frame.bytes().length - 4) {
            // A report of a failure.
            throw failure(readJson(length));
        }
        readFully(frame.bytes(), 4, length);
        int code = frame.values().getInt(4);
        if (code == AnswerLayout.FAILED) {
            throw failure(parse(frame.bytes(), Frame.HEADER_BYTES, length - 4));
        }
        waiting = false;
        return code == AnswerLayout.ENDED;
    }

    private JsonNode receiveJson() throws WorkerFailure {
        JsonNode json = readJson(receiveLength());
        if (json.has("kind")) {
            throw failure(json);
        }
        waiting = false;
        return json;
    }

    private JsonNode readJson(int length) throws WorkerFailure {
        byte[] answer = new byte[length];
        readFully(answer, 0, length);
        return parse(answer, 4, length - 4);
    }

    private static JsonNode parse(byte[] bytes, int from, int length) {
        try {
            return JSON.readTree(new String(bytes, from, length, StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    private int receiveLength() throws WorkerFailure {
        readFully(header, 0, 4);
        return Frame.littleEndian(header).getInt();
    }

    private void readFully(byte[] bytes, int from, int length) throws WorkerFailure {
        int read;
        try {
            read = in.readNBytes(bytes, from, length);
        } catch (IOException e) {
            read = -1;
        }
        if (read < length) {
            throw ended();
        }
    }

    /** That the process is no more. */
    private WorkerFailure ended() {
        broken = true;
        waiting = false;
        int environment = busyEnvironment();
        if (timedOut) {
            return WorkerFailure.ended(
                    environment, WorkerFailure.noAnswer(timeout) + ", not even to be asked where it is");
        }
        int code;
        try {
            code = process.waitFor(5, TimeUnit.SECONDS) ? process.exitValue() : -1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            code = -1;
        }
        String how = code > SIGNALED
                ? "was killed by signal " + (code - SIGNALED) + " ("
                        + SIGNALS.getOrDefault(code - SIGNALED, "see kill -l") + ")"
                        + (code == SIGNALED + 9 ? ", as the system does where memory runs out" : "")
                : code < 0 ? "closed its output" : "ended with exit code " + code;
        return WorkerFailure.ended(environment, "its Python process " + how);
    }

    private int busyEnvironment() {
        ByteBuffer file = shared;
        return file == null ? -1 : (int) file.getLong(0);
    }

    private WorkerFailure failure(JsonNode report) {
        waiting = false;
        broken |= report.path("kind").asText().equals("timeout");
        return WorkerFailure.of(report, timeout);
    }

    /** What it works on, as a number that changes as it comes forward; -1 while nothing is asked of it. */
    long progress() {
        ByteBuffer file = shared;
        if (!waiting) {
            return -1;
        }
        return ((long) requests.get() << 32) + (file == null ? 0 : file.getLong(0) & 0xffffffffL);
    }

    /** Seconds after which {@link WorkerWatch} ends it: it has a watch of its own, which can say more. */
    double patience() {
        return closing ? CLOSING_SECONDS : timeout + 2;
    }

    /** Ends the process, which does not come forward. */
    void endForTimeout() {
        timedOut = true;
        kill();
    }

    private void kill() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    /** Asks it to close its environments and end; {@link #close} waits for that. */
    void requestClose() {
        closing = true;
        if (broken) {
            kill();
        } else if (waiting) {
            // In the midst of something: it ends when it wants to answer.
            broken = true;
            closeStreams();
        } else {
            send(QUIT, Frame.of(JSON.createObjectNode()));
        }
    }

    /** Ends it. */
    @Nullable
    WorkerFailure close() {
        WorkerFailure failure = null;
        if (!broken) {
            try {
                receiveJson();
            } catch (WorkerFailure e) {
                failure = e;
            }
        }
        removeFile();
        closeStreams();
        try {
            if (!process.waitFor((long) (CLOSING_SECONDS * 1000), TimeUnit.MILLISECONDS)) {
                kill();
                process.waitFor();
            }
        } catch (InterruptedException e) {
            kill();
            Thread.currentThread().interrupt();
        }
        WorkerWatch.remove(this);
        return failure;
    }

    private void closeStreams() {
        for (AutoCloseable stream : List.of(out, in, channel)) {
            try {
                stream.close();
            } catch (Exception e) {
                // It has ended.
            }
        }
    }
}
