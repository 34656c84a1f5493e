// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

class SafeTensorsPropertyTest {
    private static Path file = Path.of("");

    @BeforeContainer
    static void createFile() throws IOException {
        file = Files.createTempFile("fovea", ".safetensors");
    }

    @AfterContainer
    static void deleteFile() throws IOException {
        Files.delete(file);
    }

    @Provide
    Arbitrary<String> names() {
        return Arbitraries.strings()
                .ofMaxLength(12)
                .filter(name ->
                        !name.equals("__metadata__") && name.chars().noneMatch(SafeTensorsPropertyTest::isSurrogate));
    }

    private static boolean isSurrogate(int character) {
        return Character.isSurrogate((char) character);
    }

    @Provide
    Arbitrary<Map<String, TensorData>> tensors() {
        Arbitrary<List<Long>> shapes = Arbitraries.longs().between(0, 7).list().ofMaxSize(4);
        Arbitrary<TensorData> tensor = Combinators.combine(
                        Arbitraries.of(TensorType.class), shapes, Arbitraries.randomValue(random -> random.nextLong()))
                .as((type, shape, seed) -> {
                    long[] dimensions =
                            shape.stream().mapToLong(Long::longValue).toArray();
                    byte[] bytes = new byte[(int) TensorData.byteCount(type, dimensions)];
                    new java.util.Random(seed).nextBytes(bytes);
                    return new TensorData(type, dimensions, ByteBuffer.wrap(bytes));
                });
        return Arbitraries.maps(names(), tensor).ofMaxSize(6);
    }

    @Provide
    Arbitrary<Map<String, String>> metadata() {
        return Arbitraries.maps(names(), names()).ofMaxSize(4);
    }

    @Property(tries = 300)
    void whatIsWrittenIsRead(
            @ForAll("tensors") Map<String, TensorData> tensors, @ForAll("metadata") Map<String, String> metadata)
            throws IOException {
        SafeTensors.write(file, tensors, metadata);
        SafeTensors.Contents contents = SafeTensors.read(file);
        assertThat(contents.tensors()).isEqualTo(tensors);
        assertThat(contents.metadata()).isEqualTo(metadata);
    }

    @Property(tries = 1000)
    void aDamagedFileIsReadOrRefusedAndNothingElse(
            @ForAll @IntRange(max = 400) int position, @ForAll byte value, @ForAll boolean cut) throws IOException {
        SafeTensors.write(
                file,
                Map.of("a", TensorData.ofFloats(new float[13], 13), "é", TensorData.ofLongs(new long[6], 2, 3)),
                Map.of("k", "ö"));
        byte[] bytes = Files.readAllBytes(file);
        int place = position % bytes.length;
        if (cut) {
            bytes = java.util.Arrays.copyOf(bytes, place);
        } else {
            bytes[place] = value;
        }
        Files.write(file, bytes);
        try {
            SafeTensors.Contents contents = SafeTensors.read(file);
            assertThat(cut).as("a file that was cut is never read").isFalse();
            assertThat(contents.tensors().values().stream()
                            .mapToInt(tensor -> tensor.data().remaining())
                            .sum())
                    .isEqualTo(13 * 4 + 6 * 8);
        } catch (CorruptFileException e) {
            assertThat(e).hasMessageContaining(file + " is damaged: ");
        }
    }
}
