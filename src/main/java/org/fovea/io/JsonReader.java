// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.io.Serial;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads JSON (RFC 8259) value by value, strictly: what isn't JSON, a member that an object has twice, and values nested deeper than
 * {@value #MAX_DEPTH} are refused. Nothing is kept of what was read, so that a hostile text takes no more memory than it is long.
 *
 * <pre>{@code
 * json.beginObject();
 * for (String name = json.nextName(); name != null; name = json.nextName()) {
 *     switch (name) {
 *         case "step" -> step = json.wholeNumber();
 *         default -> json.skip();
 *     }
 * }
 * json.end();
 * }</pre>
 */
public final class JsonReader {
    /** Objects and arrays within each other. */
    public static final int MAX_DEPTH = 64;

    private final String text;
    private int at;

    /** The names of each open object so far; empty sets stand for arrays. */
    private final Deque<Level> levels = new ArrayDeque<>();

    /** What a value is. */
    public enum Kind {
        OBJECT,
        ARRAY,
        STRING,
        NUMBER,
        BOOLEAN,
        NULL
    }

    /** A text that isn't JSON, or another value than was asked for. */
    public static final class SyntaxException extends IOException {
        @Serial
        private static final long serialVersionUID = 1;

        SyntaxException(String problem) {
            super(problem);
        }
    }

    private static final class Level {
        private final @Nullable Set<String> names;
        private boolean begun;

        Level(@Nullable Set<String> names) {
            this.names = names;
        }
    }

    /** A reader of a text. */
    public JsonReader(String text) {
        this.text = text;
    }

    /**
     * A reader of UTF-8.
     *
     * @throws CharacterCodingException if it is none
     */
    public static JsonReader of(byte[] utf8) throws CharacterCodingException {
        return new JsonReader(StandardCharsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(utf8))
                .toString());
    }

    /** What the next value is. */
    public Kind peek() throws SyntaxException {
        char next = peekChar();
        return switch (next) {
            case '{' -> Kind.OBJECT;
            case '[' -> Kind.ARRAY;
            case '"' -> Kind.STRING;
            case 't', 'f' -> Kind.BOOLEAN;
            case 'n' -> Kind.NULL;
            default -> {
                if (next != '-' && (next < '0' || next > '9')) {
                    throw unexpected("a value");
                }
                yield Kind.NUMBER;
            }
        };
    }

    /** Enters an object. */
    public void beginObject() throws SyntaxException {
        begin('{', "an object", new HashSet<>());
    }

    /** Enters an array. */
    public void beginArray() throws SyntaxException {
        begin('[', "an array", null);
    }

    private void begin(char bracket, String what, @Nullable Set<String> names) throws SyntaxException {
        expect(bracket, what);
        if (levels.size() == MAX_DEPTH) {
            throw new SyntaxException("values are nested more than " + MAX_DEPTH + " deep");
        }
        levels.push(new Level(names));
    }

    /** The name of the next member of the object, whose value is to be read next; null where the object has ended. */
    public @Nullable String nextName() throws SyntaxException {
        Level object = levels.element();
        if (object.names == null) {
            throw new IllegalStateException("within an array there are no names");
        }
        if (!next(object, '}')) {
            return null;
        }
        String name = string();
        if (!object.names.add(name)) {
            throw new SyntaxException("Duplicate field '" + name + "'");
        }
        expect(':', "':' behind the name '" + name + "'");
        return name;
    }

    /** Whether the array has another element, which is to be read next; else it has ended. */
    public boolean nextElement() throws SyntaxException {
        return next(levels.element(), ']');
    }

    private boolean next(Level level, char bracket) throws SyntaxException {
        if (peekChar() == bracket) {
            at++;
            levels.pop();
            return false;
        }
        if (level.begun) {
            expect(',', "',' or '" + bracket + "'");
        }
        level.begun = true;
        return true;
    }

    /** A text. */
    public String string() throws SyntaxException {
        expect('"', "a string");
        StringBuilder read = new StringBuilder();
        for (char next = take(); next != '"'; next = take()) {
            if (next < ' ') {
                throw new SyntaxException("a string has the control character " + (int) next + " in it");
            }
            read.append(next == '\\' ? escaped() : next);
        }
        return read.toString();
    }

    private char escaped() throws SyntaxException {
        char kind = take();
        return switch (kind) {
            case '"', '\\', '/' -> kind;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> {
                int code = 0;
                for (int i = 0; i < 4; i++) {
                    int digit = Character.digit(take(), 16);
                    if (digit < 0) {
                        throw new SyntaxException("a string has \\u without four digits behind it");
                    }
                    code = 16 * code + digit;
                }
                yield (char) code;
            }
            default -> throw new SyntaxException("a string has \\" + kind + " in it");
        };
    }

    /** A number as it is written. */
    public String number() throws SyntaxException {
        if (peek() != Kind.NUMBER) {
            throw unexpected("a number");
        }
        int from = at;
        at += text.charAt(at) == '-' ? 1 : 0;
        if (at < text.length() && text.charAt(at) == '0') {
            at++;
        } else {
            digits();
        }
        if (at < text.length() && text.charAt(at) == '.') {
            at++;
            digits();
        }
        if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
            at++;
            at += at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-') ? 1 : 0;
            digits();
        }
        return text.substring(from, at);
    }

    private void digits() throws SyntaxException {
        int from = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (at == from) {
            throw unexpected("a digit");
        }
    }

    /** A number that is whole and at most 2^63 - 1 large. */
    public long wholeNumber() throws SyntaxException {
        String number = number();
        try {
            return Long.parseLong(number);
        } catch (NumberFormatException e) {
            throw new SyntaxException(number + " where a whole number below 2^63 is expected");
        }
    }

    /** True or false. */
    public boolean truth() throws SyntaxException {
        if (peek() != Kind.BOOLEAN) {
            throw unexpected("true or false");
        }
        boolean value = text.charAt(at) == 't';
        literal(value ? "true" : "false");
        return value;
    }

    private void literal(String word) throws SyntaxException {
        if (!text.startsWith(word, at)) {
            throw unexpected(word);
        }
        at += word.length();
    }

    /** Passes over a value, whatever it is. */
    public void skip() throws SyntaxException {
        switch (peek()) {
            case OBJECT -> {
                beginObject();
                while (nextName() != null) {
                    skip();
                }
            }
            case ARRAY -> {
                beginArray();
                while (nextElement()) {
                    skip();
                }
            }
            case STRING -> string();
            case NUMBER -> number();
            case BOOLEAN -> truth();
            case NULL -> literal("null");
        }
    }

    /** Says whether the text ends here, but for white space. */
    public boolean isAtEnd() {
        skipSpace();
        return at == text.length();
    }

    private void expect(char wanted, String what) throws SyntaxException {
        if (peekChar() != wanted) {
            throw unexpected(what);
        }
        at++;
    }

    /** The next character that isn't white space; it stays the next. */
    private char peekChar() throws SyntaxException {
        skipSpace();
        if (at == text.length()) {
            throw ended();
        }
        return text.charAt(at);
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char take() throws SyntaxException {
        if (at == text.length()) {
            throw ended();
        }
        return text.charAt(at++);
    }

    private static SyntaxException ended() {
        return new SyntaxException("it ends within a value");
    }

    private SyntaxException unexpected(String expected) {
        return new SyntaxException((at == text.length() ? "the end" : "'" + text.charAt(at) + "'") + " at character "
                + at + " where " + expected + " is expected");
    }

    /** A text as JSON has it, in quotes. */
    public static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                case '\b' -> quoted.append("\\b");
                case '\f' -> quoted.append("\\f");
                case '\n' -> quoted.append("\\n");
                case '\r' -> quoted.append("\\r");
                case '\t' -> quoted.append("\\t");
                default -> quoted.append(c < ' ' ? String.format("\\u%04X", (int) c) : String.valueOf(c));
            }
        }
        return quoted.append('"').toString();
    }
}
