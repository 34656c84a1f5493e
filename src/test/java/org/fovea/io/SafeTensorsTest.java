// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafeTensorsTest {
    private static final Map<String, TensorData> GOLDEN = Map.of(
            "float32", TensorData.ofFloats(new float[] {0, 0.25f, 0.5f, 0.75f, 1, 1.25f}, 2, 3),
            "float64", TensorData.ofDoubles(new double[] {0.1, -1e300}, 2),
            "int64", TensorData.ofLongs(new long[] {-(1L << 62), 7}, 2, 1),
            "int32", TensorData.ofInts(new int[] {-5}),
            "uint8", TensorData.ofBytes(new byte[] {0, 127, -1}, 3),
            "empty", TensorData.ofFloats(new float[0], 0, 4));
    private static final Map<String, String> GOLDEN_METADATA = Map.of("creator", "fovea", "größe", "π");

    @TempDir
    Path folder;

    /** Written by src/test/python/safetensors_golden.py. */
    @Test
    void readsWhatThePythonPackageWrote() throws Exception {
        Path golden = Path.of(Objects.requireNonNull(SafeTensorsTest.class.getResource("golden.safetensors"))
                .toURI());
        SafeTensors.Contents contents = SafeTensors.read(golden);
        assertThat(contents.tensors()).isEqualTo(GOLDEN);
        assertThat(contents.metadata()).isEqualTo(GOLDEN_METADATA);
    }

    @Test
    void readsWhatItWrote() throws IOException {
        Path file = folder.resolve("t.safetensors");
        Files.writeString(file, "x".repeat(5000));
        SafeTensors.write(file, GOLDEN, GOLDEN_METADATA);
        assertThat(SafeTensors.read(file)).isEqualTo(new SafeTensors.Contents(GOLDEN, GOLDEN_METADATA));
    }

    @Test
    void writesTheBytesOfTheFormat() throws IOException {
        Path file = folder.resolve("t.safetensors");
        SafeTensors.write(
                file,
                Map.of("b", TensorData.ofBytes(new byte[] {9}, 1), "a", TensorData.ofFloats(new float[] {1}, 1, 1)),
                Map.of());
        String header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
                + "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]}}";
        byte[] bytes = Files.readAllBytes(file);
        ByteBuffer content = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int length = (int) content.getLong();
        assertThat(length % 8).isZero();
        assertThat(new String(bytes, 8, length, StandardCharsets.UTF_8).stripTrailing())
                .isEqualTo(header);
        assertThat(content.getFloat(8 + length)).isEqualTo(1);
        assertThat(bytes[8 + length + 4]).isEqualTo((byte) 9);
        assertThat(bytes).hasSize(8 + length + 5);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '\0',
            value = {
                "[]; does not start with '{'",
                "{; not valid JSON",
                "{}}; not valid JSON",
                "{} {}; something follows",
                "{\"a\":1}; tensor 'a': its entry is not an object",
                "{\"a\":{}}; tensor 'a': dtype, shape or data_offsets is missing",
                "{\"a\":{\"dtype\":\"F31\",\"shape\":[4],\"data_offsets\":[0,16]}}; tensor 'a': unknown dtype 'F31'",
                "{\"a\":{\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,16]}}; tensor 'a': unknown dtype '7'",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,16]}}; tensor 'a': shape is not an array",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}}; tensor 'a': shape has an element",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4.0],\"data_offsets\":[0,16]}}; tensor 'a': shape has an element",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,16]}}; shape has an element",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}; overflows",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,16]}}; tensor 'a': F32[5] takes 20 bytes",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]}}; tensor 'a': data_offsets [0] are not",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}; tensor 'a': data_offsets [16, 0] are not",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,20]}}; tensor 'a': its bytes end at 20",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}; its tensors end at 12, but 16",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[4,16]}}; tensor 'a': its bytes start at 4",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]},\"b\":{\"dtype\":\"U8\",\"shape\":[8],"
                        + "\"data_offsets\":[8,16]}}; tensor 'b': its bytes start at 8",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"U8\",\"shape\":[8],"
                        + "\"data_offsets\":[8,16]}}; Duplicate field 'a'",
                "{\"__metadata__\":{\"x\":1}}; __metadata__ entry 'x' is not a string",
                "{\"__metadata__\":[]}; __metadata__ is not an object",
            })
    void aHostileHeaderIsRefused(String header, String problem) throws IOException {
        assertRefused(file(header.length(), header, 16), problem);
    }

    private Path file(long headerLength, String header, int dataLength) throws IOException {
        byte[] bytes = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer content = ByteBuffer.allocate(8 + bytes.length + dataLength).order(ByteOrder.LITTLE_ENDIAN);
        content.putLong(headerLength).put(bytes);
        return Files.write(folder.resolve("hostile.safetensors"), content.array());
    }

    private static void assertRefused(Path file, String problem) {
        assertThatThrownBy(() -> SafeTensors.read(file))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining(file + " is damaged: ")
                .hasMessageContaining(problem);
    }

    @Test
    void aWrongHeaderLengthIsRefused() throws IOException {
        assertRefused(Files.write(folder.resolve("short"), new byte[7]), "ends within the header's length (7 bytes)");
        assertRefused(file(100, "{}", 16), "said to have 100 bytes, but the file has 26");
        assertRefused(file(100_000_001, "{}", 16), "100000001 bytes, at most 100000000");
        assertRefused(file(-1, "{}", 16), "18446744073709551615 bytes");
        assertRefused(file(0, "", 16), "does not start with '{'");
        assertRefused(file(3, " {}", 0), "does not start with '{'");
        assertRefused(file(4, "{\0}\0", 0), "not UTF-8");
    }

    @Test
    void aTensorCannotHaveTheNameOfTheMetadata() {
        Map<String, TensorData> tensors = Map.of("__metadata__", TensorData.ofInts(new int[] {1}));
        assertThatThrownBy(() -> SafeTensors.write(folder.resolve("t"), tensors, Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("__metadata__");
    }

    @Test
    void aTensorKnowsItsShapeAndType() {
        assertThatThrownBy(() -> TensorData.ofFloats(new float[5], 2, 3))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("F32[2, 3] takes 24 bytes, not 20");
        assertThatThrownBy(() -> TensorData.ofFloats(new float[6], -2, -3)).hasMessageContaining("negative");
        assertThatThrownBy(() -> TensorData.ofInts(new int[6], 2, 3).toFloats())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("I32[2, 3], not F32");
    }

    @Test
    void aFileThatCannotBeWrittenIsNamed() {
        Map<String, TensorData> tensors = Map.of("a", TensorData.ofFloats(new float[4], 4));
        Path nowhere = folder.resolve("missing").resolve("t");
        assertThatThrownBy(() -> SafeTensors.write(nowhere, tensors, Map.of()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot write " + nowhere);
        Path full = Path.of("/dev/full");
        Assumptions.assumeTrue(Files.exists(full), "needs a device that is always full");
        assertThatThrownBy(() -> SafeTensors.write(full, tensors, Map.of()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot write /dev/full: ")
                .hasMessageContaining("space");
    }
}
