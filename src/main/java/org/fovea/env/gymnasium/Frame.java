// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A message between Java and Python: an int32 length of what follows it, an int32 code and the content, all little endian.
 *
 * @param values the bytes, as numbers
 */
record Frame(byte[] bytes, ByteBuffer values) {
    /** Bytes before the content: length, code. */
    static final int HEADER_BYTES = 8;

    /** Of {@code size} bytes, with the header. */
    static Frame allocate(int size) {
        byte[] bytes = new byte[size];
        return new Frame(bytes, littleEndian(bytes));
    }

    static Frame of(JsonNode content) {
        byte[] text = content.toString().getBytes(StandardCharsets.UTF_8);
        Frame frame = allocate(HEADER_BYTES + text.length);
        frame.values.put(HEADER_BYTES, text);
        return frame;
    }

    static ByteBuffer littleEndian(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Writes its header, and sends so many of its bytes. */
    void send(int code, int size, OutputStream out) throws IOException {
        values.putInt(0, size - 4).putInt(4, code);
        out.write(bytes, 0, size);
        out.flush();
    }

    void send(int code, OutputStream out) throws IOException {
        send(code, bytes.length, out);
    }
}
