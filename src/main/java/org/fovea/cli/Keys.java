// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Keys as they are pressed, from the terminal that the process was started in; none where there is no such. */
final class Keys implements AutoCloseable {
    private static final File TERMINAL = new File("/dev/tty");
    private static final int ESCAPE = 27;

    private final @Nullable InputStream in;

    /** What the terminal was set to. */
    private final String settings;

    /** A key, or what stands for one. */
    enum Key {
        NONE,
        PLAY,
        NEXT,
        PREVIOUS,
        FIRST,
        LAST,
        LAYER,
        HEAD,
        FASTER,
        SLOWER,
        QUIT
    }

    private Keys(@Nullable InputStream in, String settings) {
        this.in = in;
        this.settings = settings;
    }

    /** Lets the terminal hand on keys at once, and not show them, until this is closed. */
    static Keys open() {
        try {
            String settings = stty("-g");
            if (settings.isEmpty()) {
                return new Keys(null, "");
            }
            stty("-icanon", "-echo", "min", "0", "time", "0");
            return new Keys(new FileInputStream(TERMINAL), settings);
        } catch (IOException unavailable) {
            return new Keys(null, "");
        }
    }

    private static String stty(String... arguments) throws IOException {
        String[] command = new String[arguments.length + 1];
        command[0] = "stty";
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        Process process = new ProcessBuilder(command)
                .redirectInput(TERMINAL)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
    }

    boolean areThere() {
        return in != null;
    }

    /** The key that was pressed, if one was. */
    Key next() throws IOException {
        return in == null ? Key.NONE : read(in);
    }

    /** From the bytes that a terminal sends. */
    static Key read(InputStream in) throws IOException {
        int key = in.read();
        if (key != ESCAPE) {
            return switch (key) {
                case ' ' -> Key.PLAY;
                case 'n', '\n' -> Key.NEXT;
                case 'p' -> Key.PREVIOUS;
                case 'l' -> Key.LAYER;
                case 'h' -> Key.HEAD;
                case '+' -> Key.FASTER;
                case '-' -> Key.SLOWER;
                case 'q' -> Key.QUIT;
                default -> Key.NONE;
            };
        }
        int second = in.read();
        if (second != '[' && second != 'O') {
            return second < 0 ? Key.QUIT : Key.NONE;
        }
        return switch (in.read()) {
            case 'C' -> Key.NEXT;
            case 'D' -> Key.PREVIOUS;
            case 'H' -> Key.FIRST;
            case 'F' -> Key.LAST;
            default -> Key.NONE;
        };
    }

    @Override
    public void close() {
        try {
            if (in != null) {
                in.close();
                stty(settings);
            }
        } catch (IOException e) {
            throw new FailedException("the terminal could not be set back to what it was; stty sane does it", e);
        }
    }
}
