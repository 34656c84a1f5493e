// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.io.SafeTensors;
import org.fovea.io.TensorData;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Requests line by line: each is answered as the command would have answered it, and none ends the others. */
class AttentionServerTest {
    @TempDir
    private Path directory;

    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Map<String, TensorData> request = new LinkedHashMap<>();

    @BeforeEach
    void writeRequest() throws IOException {
        request.put("q", TensorData.ofFloats(new float[] {1, 2}, 1, 1, 2, 1));
        request.put("k", TensorData.ofFloats(new float[] {0.5f, -1}, 1, 1, 2, 1));
        request.put("v", TensorData.ofFloats(new float[] {3, 5}, 1, 1, 2, 1));
        SafeTensors.write(path("in put.safetensors"), request, Map.of());
    }

    private Path path(String name) {
        return directory.resolve(name);
    }

    private String line(String in, String out, String... options) {
        String line = path(in) + "\t" + path(out);
        return options.length == 0 ? line : line + "\t" + String.join("\t", options);
    }

    private int serve(PrintStream out, List<String> defaults, InputStream requests) throws IOException {
        BackendOptions device = new BackendOptions();
        new CommandLine(device).parseArgs("--backend", "cpu");
        Terminal terminal = new Terminal(out, new PrintStream(err, true, StandardCharsets.UTF_8), 0);
        try (OpenBackends backends = new OpenBackends(device, Map.of(), terminal)) {
            return new AttentionServer(terminal, backends, defaults).run(requests);
        }
    }

    private static InputStream stream(String... lines) {
        return new ByteArrayInputStream((String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8));
    }

    private List<String> answers(List<String> defaults, String... lines) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int code = serve(new PrintStream(out, true, StandardCharsets.UTF_8), defaults, stream(lines));
        assertThat(code).isZero();
        return out.toString(StandardCharsets.UTF_8).lines().toList();
    }

    private Map<String, TensorData> read(String name) throws IOException {
        return SafeTensors.read(path(name)).tensors();
    }

    @Test
    void eachRequestHasItsAnswerAndItsOptions() throws IOException {
        List<String> answers = answers(
                List.of("--serve", "--weights"),
                line("in put.safetensors", "a"),
                line("in put.safetensors", "b", "--causal", "--weights=scores", "--scale", "2"),
                line("in put.safetensors", "c"));

        assertThat(answers).containsExactly("0\tok", "0\tok", "0\tok");
        assertThat(read("a").get("weights").toFloats()[1]).isBetween(0.1f, 0.3f);
        assertThat(read("b").get("weights").toFloats()).containsExactly(1, -2, 2, -4);
        assertThat(read("b").get("o").toFloats()[0]).isEqualTo(3);
        assertThat(Files.readAllBytes(path("c"))).isEqualTo(Files.readAllBytes(path("a")));
        assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
    }

    @Test
    void aBrokenRequestIsAnsweredAsTheCommandAnswersItAndEndsNothing() throws IOException {
        Files.writeString(path("text"), "no tensors at all");
        String[][] broken = {
            {"nothing", "a"},
            {"text", "a"},
            {"in put.safetensors", "no/directory"},
            {"in put.safetensors", "a", "--causal", "bottom-right"},
            {"in put.safetensors", "a", "--weights=probs"},
            {"in put.safetensors", "a", "--scale", "1e39"},
            {"in put.safetensors", "a", "--scale"},
            {"in put.safetensors", "a", "--rows", "0:1"}
        };
        for (String[] fields : broken) {
            String[] options = Arrays.copyOfRange(fields, 2, fields.length);
            List<String> answers = answers(
                    List.of("--serve"), line(fields[0], fields[1], options), line("in put.safetensors", "good"));

            List<String> alone = new ArrayList<>(List.of(
                    "attention",
                    path(fields[0]).toString(),
                    "-o",
                    path(fields[1]).toString()));
            alone.addAll(List.of(options));
            Cli cli = Cli.run(alone.toArray(String[]::new));
            assertThat(answers)
                    .containsExactly(
                            cli.exitCode() + "\t" + cli.err().strip().replaceFirst("^fovea attention: ", ""), "0\tok");
            assertThat(path("a")).doesNotExist();
        }
    }

    @Test
    void aLineThatIsNoRequestIsRefused() throws IOException {
        assertThat(answers(
                        List.of("--serve"),
                        "",
                        path("in put.safetensors").toString(),
                        line("in put.safetensors", "a", "--backend", "cuda"),
                        line("in put.safetensors", "a", "--out=b"),
                        line("in put.safetensors", "a", "one more"),
                        line("in put.safetensors", "a")))
                .containsExactly(
                        "2\ta request is an input, a tab and an output, with any options after further tabs",
                        "2\ta request is an input, a tab and an output, with any options after further tabs",
                        "2\t--backend can't be an option of a single request",
                        "2\t--out can't be an option of a single request",
                        "2\tunexpected argument 'one more'",
                        "0\tok");
        assertThat(path("b")).doesNotExist();
    }

    /** Notes go where those of the command go, and the answer stays one line. */
    @Test
    void notesAreNoComplaints() throws IOException {
        request.put("q", TensorData.ofFloats(new float[4], 2, 1, 2, 1));
        request.put("k", TensorData.ofFloats(new float[4], 2, 1, 2, 1));
        request.put("v", TensorData.ofFloats(new float[4], 2, 1, 2, 1));
        request.put("mask", TensorData.ofFloats(new float[4], 2, 2));
        SafeTensors.write(path("square"), request, Map.of());

        assertThat(answers(List.of("--serve"), line("square", "a"))).containsExactly("0\tok");
        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualTo("fovea attention: note: tensor 'mask' is F32[2, 2], of which the first extent is read as Nq,"
                        + " but B is 2 too; for one of each batch row give [2, 1, 1, 2], or [1, 1, 2, 2] for what was"
                        + " read\n");
    }

    @Test
    void float64IsAnsweredToo() throws IOException {
        request.replaceAll((name, tensor) -> TensorData.ofDoubles(new double[2], tensor.shape()));
        SafeTensors.write(path("double"), request, Map.of());

        assertThat(answers(List.of("--serve"), line("double", "a"), line("in put.safetensors", "b")))
                .containsExactly("0\tok", "0\tok");
        assertThat(read("a").get("o").type()).hasToString("F64");
    }

    /** Where a reader has gone, nothing more is computed. */
    @Test
    void itEndsWhenNobodyReads() throws IOException {
        PrintStream closed = new PrintStream(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("Broken pipe");
            }
        });
        int code = serve(
                closed,
                List.of("--serve"),
                stream(line("in put.safetensors", "first"), line("in put.safetensors", "second")));

        assertThat(code).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualTo("fovea attention: nobody reads the answers from standard output any more\n");
        assertThat(path("first")).exists();
        assertThat(path("second")).doesNotExist();
    }

    @Test
    void optionsOfAllRequestsAreCheckedAtOnce() {
        Cli cli = Cli.run("attention", "--serve", "--scale", "NaN");

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.out()).isEmpty();
    }
}
