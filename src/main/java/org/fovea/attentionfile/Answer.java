// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.io.SafeTensorsWriter;
import org.fovea.io.TensorInfo;
import org.fovea.io.TensorType;

/** The tensors that a request asks for. */
final class Answer {
    private final Map<String, Result> results = new LinkedHashMap<>();

    void add(String name, Result result) {
        results.put(name, result);
    }

    void add(String name, TensorType type, Numbers numbers, long... shape) {
        add(name, Result.of(TensorInfo.of(type, shape), numbers));
    }

    /** Writes them all, beside the file and then in its place. */
    void write(Path file) throws IOException {
        Map<String, TensorInfo> infos = new LinkedHashMap<>();
        results.forEach((name, result) -> infos.put(name, result.info()));
        try (SafeTensorsWriter writer = SafeTensorsWriter.create(file, infos, Map.of())) {
            for (Map.Entry<String, Result> entry : results.entrySet()) {
                TensorType type = entry.getValue().info().type();
                ByteBuffer bytes = Encoding.buffer(type, Numbers.PIECE);
                entry.getValue().writeTo((offset, numbers, count) -> {
                    bytes.clear();
                    Encoding.encode(type, numbers, count, bytes);
                    writer.write(entry.getKey(), offset * type.bytes(), bytes.flip());
                });
            }
            writer.commit();
        }
    }
}
