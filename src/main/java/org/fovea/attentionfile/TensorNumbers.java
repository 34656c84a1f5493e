// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.fovea.io.SafeTensorsReader;
import org.fovea.io.TensorType;

/** The elements of a tensor of numbers or truths in a file. */
final class TensorNumbers implements Numbers {
    private final SafeTensorsReader reader;
    private final String name;
    private final TensorType type;
    private final long length;
    private final ByteBuffer bytes;

    TensorNumbers(SafeTensorsReader reader, String name) {
        this.reader = reader;
        this.name = name;
        type = reader.info(name).type();
        length = reader.info(name).elements();
        bytes = Encoding.buffer(type, (int) Math.min(PIECE, length));
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public void read(long offset, double[] target, int at, int count) throws IOException {
        bytes.clear().limit(count * type.bytes());
        reader.read(name, offset * type.bytes(), bytes);
        Encoding.decode(type, bytes, target, at, count);
    }
}
