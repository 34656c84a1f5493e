// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.fovea.collective.RankSettings;

/**
 * Runs a command by several processes on this machine, the ranks of a run. What rank 0 prints is printed; of the others, what they print as
 * errors if one of them ends before rank 0 has said why. Where one fails, all are ended; a request to stop is handed on to all.
 */
final class RankLauncher {
    /** Says to a rank that its standard input is the launcher's hand: a byte asks it to stop, the end of it to end at once. */
    static final String LAUNCHED = "FOVEA_LAUNCHED";

    /**
     * In which the others hear of one that has failed, and say so, before they are ended. One that is stopped is found after five seconds,
     * and all are to have ended after ten.
     */
    private static final long GRACE_MILLIS = 3_000;

    private static final long LAST_WORDS_MILLIS = 500;
    private static final int MOST_REMEMBERED = 1 << 16;
    private static final long WATCH_MILLIS = 100;
    private static final int TOKEN_BYTES = 16;
    private static final int SIGNAL_EXIT = 128;
    private static final String INCUBATOR_WARNING = "WARNING: Using incubator modules";

    private final Terminal terminal;
    private final Interruption interruption;

    RankLauncher(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    /** A rank that was started, and the last of what it has printed as errors. */
    private record Rank(int number, Process process, ByteArrayOutputStream errors) {
        void remember(byte[] bytes, int from, int length) {
            synchronized (errors) {
                if (errors.size() > MOST_REMEMBERED) {
                    byte[] before = errors.toByteArray();
                    errors.reset();
                    errors.write(before, before.length / 2, before.length - before.length / 2);
                }
                errors.write(bytes, from, length);
            }
        }

        String remembered() {
            synchronized (errors) {
                return errors.toString(StandardCharsets.UTF_8);
            }
        }

        boolean hasFailed() {
            return !process.isAlive() && process.exitValue() != 0;
        }
    }

    /** Runs the command with these arguments; returns the exit code. */
    int run(int count, List<String> arguments) throws IOException {
        return interruption.during("the ranks", () -> "All ranks end", () -> {
            List<Rank> ranks = new ArrayList<>();
            List<Thread> readers = new ArrayList<>();
            try {
                int port = freePort();
                String token = token();
                for (int rank = 0; rank < count; rank++) {
                    ranks.add(start(
                            new RankSettings(rank, count, rank, "127.0.0.1", port, token, collective()), arguments));
                    readers.add(read(ranks.get(rank)));
                }
                return await(ranks, readers);
            } finally {
                for (Rank rank : ranks) {
                    rank.process.destroyForcibly();
                }
            }
        });
    }

    private static String collective() {
        return System.getenv().getOrDefault(RankSettings.COLLECTIVE, RankSettings.AUTO);
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static String token() {
        byte[] bytes = new byte[TOKEN_BYTES];
        new SecureRandom().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private Rank start(RankSettings settings, List<String> arguments) throws IOException {
        List<String> options = ManagementFactory.getRuntimeMXBean().getInputArguments();
        ProcessBuilder builder = new ProcessBuilder(commandLine(options, arguments));
        builder.environment().putAll(settings.asEnvironment());
        builder.environment().put(LAUNCHED, "1");
        builder.redirectOutput(
                settings.rank() == 0
                        ? ProcessBuilder.Redirect.INHERIT
                        : ProcessBuilder.Redirect.to(new File("/dev/null")));
        Process process = builder.start();
        return new Rank(settings.rank(), process, new ByteArrayOutputStream());
    }

    /** @param options of this virtual machine, which the ranks' have as well */
    static List<String> commandLine(List<String> options, List<String> arguments) {
        List<String> line = new ArrayList<>();
        line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        // A descriptor of this process is another file in the rank: the JDK's own modules, for one.
        options.stream()
                .filter(option -> !option.startsWith("-D" + Fovea.STANDARD_ERROR_PROPERTY + "="))
                .forEach(line::add);
        line.add("-cp");
        line.add(System.getProperty("java.class.path"));
        line.add(Fovea.class.getName());
        line.addAll(arguments);
        return line;
    }

    private Thread read(Rank rank) {
        Thread reader = new Thread(() -> copyErrors(rank), "errors of rank " + rank.number);
        reader.setDaemon(true);
        reader.start();
        return reader;
    }

    /** Prints what rank 0 says, without what Java says of its modules; keeps what others say. */
    private void copyErrors(Rank rank) {
        PrintStream err = terminal.err();
        try (InputStream in = rank.process.getErrorStream()) {
            byte[] buffer = new byte[4096];
            boolean isFirst = true;
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                String text = new String(buffer, 0, read, StandardCharsets.UTF_8);
                int from = isFirst && text.startsWith(INCUBATOR_WARNING) ? text.indexOf('\n') + 1 : 0;
                isFirst = false;
                if (rank.number == 0) {
                    err.write(buffer, from, read - from);
                    err.flush();
                }
                rank.remember(buffer, from, read - from);
            }
        } catch (IOException e) {
            // It has ended.
        }
    }

    private int await(List<Rank> ranks, List<Thread> readers) {
        boolean told = false;
        long failedAt = 0;
        Rank first = null;
        while (ranks.stream().anyMatch(rank -> rank.process.isAlive())) {
            if (interruption.requested() && !told) {
                told = true;
                ranks.forEach(RankLauncher::askToStop);
            }
            for (Rank rank : ranks) {
                if (first == null && rank.hasFailed()) {
                    first = rank;
                    failedAt = System.nanoTime();
                }
            }
            if (first != null && System.nanoTime() - failedAt > TimeUnit.MILLISECONDS.toNanos(GRACE_MILLIS)) {
                break;
            }
            pause();
        }
        for (int i = 0; i < ranks.size(); i++) {
            if (!ranks.get(i).process.isAlive()) {
                awaitLastWords(readers.get(i));
            }
        }
        for (Rank rank : ranks) {
            if (first == null && rank.hasFailed()) {
                first = rank;
            }
        }
        if (first == null || interruption.requested()) {
            return ranks.get(0).process.isAlive()
                    ? Failures.FAILED
                    : ranks.get(0).process.exitValue();
        }
        explain(first, ranks);
        return first.process.exitValue() > SIGNAL_EXIT ? Failures.FAILED : first.process.exitValue();
    }

    /** Says what rank 0 has not. */
    private void explain(Rank first, List<Rank> ranks) {
        int code = first.process.exitValue();
        for (Rank rank : ranks) {
            if (rank.process.isAlive()) {
                terminal.err().println("fovea: rank " + rank.number + " did not end by itself, and was killed");
            }
        }
        if (code > SIGNAL_EXIT) {
            terminal.err().println("fovea: rank " + first.number + " was ended by signal " + (code - SIGNAL_EXIT));
        } else if (first.number > 0) {
            String said = ranks.get(0).remembered();
            first.remembered()
                    .lines()
                    .filter(line -> !line.isBlank() && !said.contains(line))
                    .forEach(line -> terminal.err().println("rank " + first.number + ": " + line));
        }
    }

    private static void askToStop(Rank rank) {
        try {
            OutputStream hand = rank.process.getOutputStream();
            hand.write('s');
            hand.flush();
        } catch (IOException e) {
            // It has ended already.
        }
    }

    /** What it started may still hold its end of the pipe. */
    private static void awaitLastWords(Thread reader) {
        try {
            reader.join(LAST_WORDS_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(WATCH_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
