// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where the tensors of a file that is to be written go.
 *
 * @param entries the tensors in the order of their bytes
 * @param prefix what comes before them: the header's length and the header
 */
record SafeTensorsLayout(List<SafeTensorsHeader.Entry> entries, byte[] prefix) {
    private static final int ALIGNMENT = 8;

    /**
     * The order of the maps does not change the bytes.
     *
     * @throws IllegalArgumentException if a tensor is called {@code __metadata__}
     */
    static SafeTensorsLayout of(Map<String, TensorInfo> tensors, Map<String, String> metadata) {
        if (tensors.containsKey(SafeTensorsHeader.METADATA)) {
            throw new IllegalArgumentException("a tensor cannot be called " + SafeTensorsHeader.METADATA);
        }
        // Widest elements first, so that every tensor is aligned to its elements.
        List<Map.Entry<String, TensorInfo>> ordered = tensors.entrySet().stream()
                .sorted(Comparator.comparingInt((Map.Entry<String, TensorInfo> entry) ->
                                -entry.getValue().type().bytes())
                        .thenComparing(Map.Entry.comparingByKey()))
                .toList();
        List<SafeTensorsHeader.Entry> entries = new ArrayList<>();
        long offset = 0;
        for (Map.Entry<String, TensorInfo> tensor : ordered) {
            long end = offset + tensor.getValue().bytes();
            entries.add(new SafeTensorsHeader.Entry(tensor.getKey(), tensor.getValue(), offset, end));
            offset = end;
        }
        byte[] header = header(entries, new TreeMap<>(metadata));
        ByteBuffer prefix = ByteBuffer.allocate(Long.BYTES + header.length).order(ByteOrder.LITTLE_ENDIAN);
        return new SafeTensorsLayout(
                entries, prefix.putLong(header.length).put(header).array());
    }

    private static byte[] header(List<SafeTensorsHeader.Entry> entries, Map<String, String> metadata) {
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        try (JsonGenerator json = new JsonFactory().createGenerator(header, JsonEncoding.UTF8)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart(SafeTensorsHeader.METADATA);
                for (Map.Entry<String, String> entry : metadata.entrySet()) {
                    json.writeStringField(entry.getKey(), entry.getValue());
                }
                json.writeEndObject();
            }
            for (SafeTensorsHeader.Entry entry : entries) {
                long[] shape = entry.info().shape();
                json.writeObjectFieldStart(entry.name());
                json.writeStringField("dtype", entry.info().type().name());
                json.writeFieldName("shape");
                json.writeArray(shape, 0, shape.length);
                json.writeFieldName("data_offsets");
                json.writeArray(new long[] {entry.begin(), entry.end()}, 0, 2);
                json.writeEndObject();
            }
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("no file is involved here", e);
        }
        while (header.size() % ALIGNMENT != 0) {
            header.write(' ');
        }
        return header.toByteArray();
    }
}
