// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.fovea.io.SafeTensors;
import org.fovea.io.TensorData;
import org.fovea.io.TensorType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests that can't be answered: one line, exit code 2, no file. */
class AttentionErrorTest {
    @TempDir
    private Path directory;

    /** Adds tensors, as in {@code do:F32[1,2,3,6]}, to q [1, 2, 3, 4], k [1, 1, 5, 4] and v [1, 1, 5, 6]. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "x:F32[1] | | unknown tensor 'x'",
                "q.01:F32[1,2,3,4] | --order 2 | unknown tensor 'q.01'",
                "mask.1:F32[1] | --order 2 | unknown tensor 'mask.1'",
                "q:I32[1,2,3,4] | | tensor 'q' is I32[1, 2, 3, 4], but should be of type F64, F32, F16 or BF16",
                "k:F64[1,1,5,4] | | tensor 'k' is F64[1, 1, 5, 4], but should be of type F32 as tensor 'q' is",
                "do:F16[1,2,3,6] | | tensor 'do' is F16[1, 2, 3, 6], but should be of type F32",
                "mask:U8[3,5] | | tensor 'mask' is U8[3, 5], but should be of type BOOL",
                "kv_lengths:F32[1] | | tensor 'kv_lengths' is F32[1], but should be of type I32 or I64",
                "q:F32[2,3,4] | | tensor 'q' is F32[2, 3, 4], but should be [B, H, Nq, d]",
                "k:F32[1,1,5,3] | | tensor 'k' is F32[1, 1, 5, 3], but should be [B, Hk, Nk, d] = [1, any, any, 4]",
                "v:F32[1,1,4,6] | | tensor 'v' is F32[1, 1, 4, 6], but should be [B, Hk, Nk, dv] = [1, 1, 5, any]",
                "k:F32[1,3,5,4] v:F32[1,3,5,6] | | the 2 heads of tensor 'q' can't share the 3 of tensor 'k'",
                "k:F32[1,0,5,4] v:F32[1,0,5,6] | | the 2 heads of tensor 'q' can't share the 0 of tensor 'k'",
                "q:F32[1,2,3,0] k:F32[1,1,5,0] | | tensor 'q' has rows of length 0",
                "q:F32[1,2,3,257] k:F32[1,1,5,257] | | tensor 'q' has rows of length 257",
                "v:F32[1,1,5,300] | | tensor 'v' has rows of length 300",
                "mask:F32[2,1,3,5] | | tensor 'mask' is F32[2, 1, 3, 5]",
                "bias:F32[1,1,1,1,1] | | tensor 'bias' is F32[1, 1, 1, 1, 1]",
                "bias:F32[4] | | but should be [B, H, Nq, T] = [1, 2, 3, 5], where any extent may be 1",
                "alibi:F32[1] | | tensor 'alibi' is F32[1], but should be [H] = [2]",
                "sink:F32[] | | tensor 'sink' is F32[], but should be [H] = [2]",
                "dlse:F32[1,2,3] | | tensor 'dlse' is given without tensor 'do'",
                "q_segments:I32[1,3] | | tensor 'q_segments' is given without tensor 'k_segments'",
                "cu_seqlens_k:I32[2] | | tensor 'cu_seqlens_k' is given without tensor 'cu_seqlens_q'",
                "past_v:F32[1,1,2,6] | | tensor 'past_v' is given without tensor 'past_k'",
                "past_k:F32[1,1,2,4] past_v:F32[1,1,3,6] | | tensor 'past_v' is F32[1, 1, 3, 6]",
                "ddq:F32[1,2,3,4] | | tensor 'ddq' is given without tensor 'do'",
                "ddo:F32[1,2,3,6] | | tensor 'ddo' is given without tensor 'do'",
                "tbias:F32[1] | | tensor 'tbias' is given without tensor 'bias'",
                "bias:F32[1] tbias:F32[5] | | tensor 'tbias' is F32[5], but should have the shape of 'bias', which is F32[1]",
                "q.1:F32[1,2,3,4] | | tensor 'q.1' is a coefficient of order 1, but the order asked for is 0",
                "q.3:F32[1,2,3,4] | --order 2 | tensor 'q.3' is a coefficient of order 3, but the order asked for is 2",
                "do.1:F32[1,2,3,6] | --order 2 | tensor 'do.1' is given without tensor 'do'",
                "cu_seqlens_q:I32[2] cu_seqlens_k:I32[3] | | tensor 'cu_seqlens_k' is I32[3]",
                "cu_seqlens_q:I32[0] cu_seqlens_k:I32[0] | | tensor 'cu_seqlens_q' is empty",
                "cu_seqlens_q:I32[1] cu_seqlens_k:I32[1] past_k:F32[1,1,2,4] past_v:F32[1,1,2,6] | | can't have a past",
                "| --rows 0:2 | rows are of the weights, which are not asked for",
                "| --weights --rows 0:4 | rows up to 4 of the weights are asked for, but tensor 'q' has 3",
                "| --weights --rows 2:1 | not from 2 to 1",
                "| --weights --rows 1 | --rows must be I:J, two whole numbers, got '1'",
                "key:F32[1] | | unknown tensor 'key'; did you mean k?",
                "Query:F32[1] | | unknown tensor 'Query'; did you mean q?",
                "V:F32[1] | | unknown tensor 'V'; did you mean v?",
                "query.2:F32[1] | --order 2 | unknown tensor 'query.2'; did you mean q.2?",
                "attn_mask:BOOL[3,5] | | unknown tensor 'attn_mask'; did you mean mask?",
                "grad_output:F32[1] | | unknown tensor 'grad_output'; did you mean do?",
                "dout:F32[1] | | unknown tensor 'dout'; did you mean do?",
                "grad_lse:F32[1] | | unknown tensor 'grad_lse'; did you mean dlse?",
                "ddquery:F32[1] | | unknown tensor 'ddquery'; did you mean ddq?",
                "tkey:F32[1] | | unknown tensor 'tkey'; did you mean tk?",
                "segment_ids:I32[1] | | unknown tensor 'segment_ids'; did you mean q_segments?",
                "seqlens_k:I32[1] | | unknown tensor 'seqlens_k'; did you mean kv_lengths?",
                "cu_seqlens_kv:I32[1] | | unknown tensor 'cu_seqlens_kv'; did you mean cu_seqlens_k?",
                "kv_length:I32[1] | | unknown tensor 'kv_length'; did you mean kv_lengths?",
                "lse:F32[1] | | unknown tensor 'lse'; it is a result, which is computed and not given",
                "out:F32[1] | | unknown tensor 'out'; it is a result",
                "q:F32[2,2,3,4] k:F32[2,1,5,4] v:F32[2,1,5,6] mask:BOOL[2,5] | | for one of each batch row give [2, 1, 1, 5]",
                "| --weights= | --weights lacks its stage; there are: scores, softcap, masked, softmax",
                "| --weights=all | unknown stage 'all' of --weights; did you mean",
                "| --weights=probs | unknown stage 'probs' of --weights; did you mean softmax? There are: scores, softcap",
                "| --weights=Probabilities | did you mean softmax?",
                "| --weights=attn | did you mean softmax?",
                "| --weights=logits | did you mean scores?",
                "| --weights=maskd | did you mean masked?",
                "| --weights softmax | --weights takes its value after an equals sign: --weights=softmax",
                "| --weights probs | --weights takes its value after an equals sign: --weights=softmax",
                "| --causal bottom-right | --causal takes its value after an equals sign: --causal=bottom-right",
                "| --causal nonsense | one input is expected, there are 2:",
                "| --causal=left | unknown corner 'left' of --causal; did you mean top-left?",
                "| --causal=bottom_right | did you mean bottom-right?",
                "| --align right | unknown corner 'right' of --align; did you mean bottom-right?",
                "| --scale 1e39 | attention scale 1.0E39 is infinite in float32",
                "| --scale -1e39 | attention scale -1.0E39 is infinite in float32",
                "| --scale inf | 'inf' is not a number",
                "| --softcap 1e39 | attention softcap 1.0E39 is infinite in float32",
                "| --softcap 1e-50 | attention softcap 1.0E-50 is 0 in float32",
                "| --serve | with --serve, inputs and outputs come from standard input",
                "| --causal --align top-left | --align is of no use with --causal, which may be --causal=top-left",
                "| --similarity cos | unknown similarity 'cos' of --similarity; did you mean cosine?",
                "| --similarity l2 | did you mean euclidean?",
                "| --window 3 | --window must be L,R, two whole numbers from -1, got '3'",
                "| --window -2,0 | got '-2,0'",
                "| --scale NaN | attention scale must be finite",
                "| --scale big | 'big' is not a number",
                "| --softcap -1 | attention softcap must be",
                "| --dropout 1.5 --seed 1 | attention dropout must be from 0 to 1",
                "| --dropout 0.5 | --dropout needs --seed",
                "| --seed 1 | --seed is of no use without --dropout",
                "| --order -1 | the order must be from 0 to 64, not -1",
                "| --order 65 | the order must be from 0 to 64, not 65",
                "| --backend tpu | unknown backend 'tpu'",
                "| --causl | unknown option '--causl'; nearest: --causal"
            })
    void isAnsweredInOneLine(String tensors, String options, String message) throws IOException {
        Map<String, TensorData> request = new LinkedHashMap<>();
        add(request, "q:F32[1,2,3,4] k:F32[1,1,5,4] v:F32[1,1,5,6]");
        if (tensors != null) {
            add(request, tensors);
        }
        SafeTensors.write(in(), request, Map.of());

        assertRefused(message, options == null ? new String[0] : options.split(" "));
    }

    private static void add(Map<String, TensorData> request, String tensors) {
        for (String tensor : tensors.split(" ")) {
            String[] parts = tensor.split("[:\\[\\]]");
            TensorType type = TensorType.valueOf(parts[1]);
            long[] shape = parts.length < 3
                    ? new long[0]
                    : Stream.of(parts[2].split(",")).mapToLong(Long::parseLong).toArray();
            long bytes = type.bytes();
            for (long extent : shape) {
                bytes *= extent;
            }
            request.put(parts[0], new TensorData(type, shape, ByteBuffer.allocate((int) bytes)));
        }
    }

    private Path in() {
        return directory.resolve("in.safetensors");
    }

    private Path out() {
        return directory.resolve("out.safetensors");
    }

    private void assertRefused(String message, String... options) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("attention", in().toString(), "-o", out().toString()));
        arguments.addAll(List.of(options));
        Cli cli = Cli.run(arguments.toArray(String[]::new));

        assertThat(cli.err()).contains(message).startsWith("fovea attention: ");
        assertThat(cli.err().lines()).hasSize(1);
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.out()).isEmpty();
        try (var files = Files.list(directory)) {
            assertThat(files).containsExactly(in());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "kv_lengths, -1, 'tensor ''kv_lengths'' holds -1 at 0, but it should be from 0 to 5'",
        "kv_lengths, 6, 'tensor ''kv_lengths'' holds 6 at 0, but it should be from 0 to 5'",
        "kv_lengths, 4294967297, 'tensor ''kv_lengths'' holds 4294967297 at 0, but it should be from 0 to 5'"
    })
    void aLengthOutOfRangeIsNamed(String name, long number, String message) throws IOException {
        Map<String, TensorData> request = new LinkedHashMap<>();
        add(request, "q:F32[1,2,3,4] k:F32[1,1,5,4] v:F32[1,1,5,6]");
        request.put(name, TensorData.ofLongs(new long[] {number}, 1));
        SafeTensors.write(in(), request, Map.of());

        assertRefused(message);
    }

    @ParameterizedTest
    @CsvSource({
        "1, 3, 3, 'tensor ''cu_seqlens_q'' holds 1 at 0, but it should be 0'",
        "0, 2, 1, 'tensor ''cu_seqlens_q'' holds 1 at 2, but it should be from 2, where its sequence starts, to 3'",
        "0, 2, 4, 'tensor ''cu_seqlens_q'' holds 4 at 2, but it should be from 2, where its sequence starts, to 3'"
    })
    void sequencesThatDoNotFollowEachOtherAreNamed(int a, int b, int c, String message) throws IOException {
        Map<String, TensorData> request = new LinkedHashMap<>();
        add(request, "q:F32[1,2,3,4] k:F32[1,1,5,4] v:F32[1,1,5,6]");
        request.put("cu_seqlens_q", TensorData.ofInts(new int[] {a, b, c}, 3));
        request.put("cu_seqlens_k", TensorData.ofInts(new int[] {0, 2, 5}, 3));
        SafeTensors.write(in(), request, Map.of());

        assertRefused(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '\0',
            value = {
                "-1; {}; the header is said to have 18446744073709551615 bytes",
                "1073741824; {}; the header is said to have 1073741824 bytes, at most 1048576 are allowed",
                "100; {}; the header is said to have 100 bytes, but the file has 26",
                "2; {}; tensor 'q' is missing",
                "1; {; not valid JSON",
                "6; {\"q\":1; tensor 'q': its entry is not an object"
            })
    void aDamagedFileIsNamed(long length, String header, String message) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length() + 16).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(length).put(header.getBytes(StandardCharsets.UTF_8));
        Files.write(in(), length == 2 ? Arrays.copyOf(bytes.array(), 10) : bytes.array());

        assertRefused(message);
    }

    /** A file may be long without having content: what it claims to hold would not fit in any memory. */
    @Test
    void aRequestLargerThanTheMemoryIsRefused() throws IOException {
        long rows = 1L << 30;
        String header = ("{'q':{'dtype':'F32','shape':[1,1," + rows + ",256],'data_offsets':[0," + rows * 1024 + "]},"
                        + "'k':{'dtype':'F32','shape':[1,1,0,256],'data_offsets':[0,0]},"
                        + "'v':{'dtype':'F32','shape':[1,1,0,256],'data_offsets':[0,0]}}")
                .replace('\'', '"');
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length()).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(header.length())
                .put(header.getBytes(StandardCharsets.UTF_8))
                .flip();
        try (FileChannel file = FileChannel.open(
                in(), StandardOpenOption.CREATE_NEW, StandardOpenOption.SPARSE, StandardOpenOption.WRITE)) {
            file.write(bytes);
            file.write(ByteBuffer.allocate(1), 8 + header.length() + rows * 1024 - 1);
        }

        assertRefused("there is not enough memory for this request");
    }

    /** Of a name that something is missing by, what is there is spoken of first. */
    @Test
    void aTensorByAnotherNameIsNoMissingOne() throws IOException {
        Map<String, TensorData> request = new LinkedHashMap<>();
        add(request, "q:F32[1,2,3,4] key:F32[1,1,5,4] v:F32[1,1,5,6]");
        SafeTensors.write(in(), request, Map.of());

        assertRefused("unknown tensor 'key'; did you mean k?");
    }

    @Test
    void inputAndOutputAreAskedFor() {
        assertThat(Cli.run("attention").err())
                .isEqualTo("fovea attention: there is no input: fovea attention IN -o OUT\n");
        assertThat(Cli.run("attention", "a").err())
                .isEqualTo("fovea attention: there is no output: fovea attention IN -o OUT\n");
        assertThat(Cli.run("attention", "a", "-o", "b", "c").exitCode()).isEqualTo(2);
    }

    @Test
    void aFileThatIsNotThereIsNamed() {
        Cli cli = Cli.run("attention", in().toString(), "-o", out().toString());

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).isEqualTo("fovea attention: there is no file " + in() + "\n");
    }

    @Test
    void placesWhereNoFileCanBeAreNamed() throws IOException {
        Map<String, TensorData> request = new LinkedHashMap<>();
        add(request, "q:F32[1,2,3,4] k:F32[1,1,5,4] v:F32[1,1,5,6]");
        SafeTensors.write(in(), request, Map.of());

        Cli missing = Cli.run(
                "attention", in().toString(), "-o", directory.resolve("no/out").toString());
        assertThat(missing.exitCode()).isEqualTo(2);
        assertThat(missing.err()).contains("there is no directory " + directory.resolve("no"));

        Cli taken = Cli.run("attention", in().toString(), "-o", directory.toString());
        assertThat(taken.exitCode()).isEqualTo(2);
        assertThat(taken.err()).contains("cannot write " + directory);

        Cli nameless = Cli.run("attention", in().toString(), "-o", "");
        assertThat(nameless.exitCode()).isEqualTo(2);
        assertThat(nameless.err()).isEqualTo("fovea attention: the name of the output is empty\n");
    }

    @Test
    void float64NeedsTheCpu() throws IOException {
        Map<String, TensorData> request = new LinkedHashMap<>();
        add(request, "q:F64[1,2,3,4] k:F64[1,1,5,4] v:F64[1,1,5,6]");
        SafeTensors.write(in(), request, Map.of());

        assertRefused("float64 is computed on the CPU only: use --backend cpu", "--backend", "cuda");
        assertRefused("float64 is computed on the CPU only", "--simulate");
    }
}
