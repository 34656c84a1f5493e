// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

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
        List<String> members = new ArrayList<>();
        if (!metadata.isEmpty()) {
            String noted = metadata.entrySet().stream()
                    .map(entry -> JsonReader.quoted(entry.getKey()) + ":" + JsonReader.quoted(entry.getValue()))
                    .collect(Collectors.joining(","));
            members.add("\"" + SafeTensorsHeader.METADATA + "\":{" + noted + "}");
        }
        for (SafeTensorsHeader.Entry entry : entries) {
            String shape =
                    Arrays.stream(entry.info().shape()).mapToObj(Long::toString).collect(Collectors.joining(","));
            members.add(JsonReader.quoted(entry.name()) + ":{\"dtype\":\""
                    + entry.info().type() + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + entry.begin() + ","
                    + entry.end() + "]}");
        }
        byte[] header = ("{" + String.join(",", members) + "}").getBytes(StandardCharsets.UTF_8);
        int padded = (header.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        byte[] aligned = Arrays.copyOf(header, padded);
        Arrays.fill(aligned, header.length, padded, (byte) ' ');
        return aligned;
    }
}
