// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.fovea.Javac;
import org.fovea.Python;
import org.fovea.rl.run.SavedRun;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code fovea export --onnx}, and what docs/onnx.md says of it. */
@Tag("integration")
class ExportOnnxTest {
    @TempDir
    static Path directory;

    private static Path run;

    @BeforeAll
    static void train() {
        run = directory.resolve("run");
        Cli trained = Cli.run(Cli.words(
                "train --env CartPole-v1 --policy mlp --steps 16384 --eval-every 8192 --final-episodes 0 --seed 3 --out %s",
                run));
        assertThat(trained.exitCode()).as(trained.err()).isZero();
    }

    @Test
    void aModelSaysWhatItIs() throws Exception {
        Path file = directory.resolve("policy.onnx");
        Cli exported = Cli.run(Cli.words("export %s --onnx %s", run, file));
        assertThat(exported.exitCode()).as(exported.err()).isZero();
        assertThat(exported.out()).startsWith(file + ": mlp policy, ").contains("of step 16,384");
        try (OrtSession session = OrtEnvironment.getEnvironment().createSession(file.toString())) {
            Map<String, String> metadata = session.getMetadata().getCustomMetadata();
            assertThat(metadata)
                    .containsEntry("fovea.onnx_version", "1")
                    .containsEntry("fovea.environment", "CartPole-v1")
                    .containsEntry("fovea.policy", "mlp")
                    .containsEntry("fovea.trained_steps", "16384")
                    .containsEntry(
                            "fovea.observation_parts", "[{\"path\":\"\",\"type\":\"Box\",\"offset\":0,\"size\":4}]")
                    .containsEntry("fovea.action_space", "{\"type\":\"Discrete\",\"n\":2,\"start\":0}")
                    .doesNotContainKey("fovea.memory");
            assertThat(session.getInputNames()).containsExactly("observation");
            assertThat(session.getOutputNames()).containsExactly("action", "logits", "value");
        }
    }

    @Test
    void theBestAndTheLastAreDifferent() throws Exception {
        Path last = directory.resolve("last.onnx");
        Path best = directory.resolve("best.onnx");
        assertThat(Cli.run(Cli.words("export %s --onnx %s", run, last)).exitCode())
                .isZero();
        Cli exported = Cli.run(Cli.words("export %s --onnx %s --which best --opset 17 --json", run, best));
        assertThat(exported.exitCode()).as(exported.err()).isZero();
        assertThat(exported.lastLineAsJson().get("files").get(0).get("file").asText())
                .isEqualTo(best.toString());
        assertThat(exported.out())
                .contains(
                        "of step " + NumberFormats.count(SavedRun.loadBest(run).steps()));
        assertThat(Files.readAllBytes(best)).isNotEqualTo(Files.readAllBytes(last));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "RUN --onnx FILE --opset 16 | 2 | a policy can't be written for opset 16, but for any from 17 to 24; runtimes take",
                "RUN --onnx FILE --opset 25 | 2 | a policy can't be written for opset 25, but for any from 17 to 24; runtimes take",
                "RUN --onnx FILE --opset x | 2 | 'x' is not a whole number",
                "RUN --opset 17 | 2 | say what to write: --safetensors FILE or --onnx FILE",
                "RUN --safetensors FILE --opset 17 | 2 | --opset is of --onnx FILE, which was not asked for",
                "RUN --onnx FILE --which newest | 2 | --which must be last or best, got newest",
                "RUN/none --onnx FILE | 2 | there is no run directory",
                "RUN/best --onnx NONE/policy.onnx | 1 | there is no directory",
            })
    void whatCannotBeLeavesNothing(String arguments, int code, String message) throws IOException {
        Path other = directory.resolve("other");
        Files.createDirectories(other);
        Path file = other.resolve("policy.onnx");
        Files.writeString(file, "of before");
        Cli exported = Cli.run(Cli.words("export "
                + arguments
                        .replace("RUN", run.toString())
                        .replace("FILE", file.toString())
                        .replace("NONE", other.resolve("none").toString())));
        assertThat(exported.exitCode()).as(exported.err()).isEqualTo(code);
        assertThat(exported.err()).contains(message).hasLineCount(1);
        assertThat(Files.readString(file)).isEqualTo("of before");
        try (Stream<Path> left = Files.list(other)) {
            assertThat(left).containsExactly(file);
        }
    }

    private static String block(String language) throws IOException {
        Matcher block = Pattern.compile("```" + language + "\\n(.*?)```", Pattern.DOTALL)
                .matcher(Files.readString(Path.of("docs", "onnx.md")));
        assertThat(block.find()).as("a block of %s in docs/onnx.md", language).isTrue();
        return block.group(1);
    }

    /** The class in the documentation, on a policy that remembers, too. */
    @ParameterizedTest
    @CsvSource({"mlp", "gru", "attention"})
    void javaOfTheDocumentationRuns(String kind, @TempDir Path place) throws Exception {
        Path trained = place.resolve("run");
        Cli begun = Cli.run(Cli.words(
                "train --env CartPole-v1 --policy %s --envs 8 --steps 256 --set rollout_steps=16 --final-episodes 0 --out %s",
                kind, trained));
        assertThat(begun.exitCode()).as(begun.err()).isZero();
        Path file = place.resolve("policy.onnx");
        assertThat(Cli.run(Cli.words("export %s --onnx %s", trained, file)).exitCode())
                .isZero();
        Path source = Files.writeString(place.resolve("PlayOnnx.java"), block("java"));
        Javac.compile(place, source);
        try (URLClassLoader loader = new URLClassLoader(new URL[] {place.toUri().toURL()})) {
            Class<?> type = loader.loadClass("PlayOnnx");
            type.getMethod("main", String[].class).invoke(null, (Object) new String[] {file.toString()});
            Method act = type.getMethod("act", float[].class);
            Method begin = type.getMethod("begin");
            try (AutoCloseable policy =
                    (AutoCloseable) type.getConstructor(String.class).newInstance(file.toString())) {
                float[] observation = {0, 0.5f, 0.02f, -0.4f};
                float[][] first = logits(act.invoke(policy, (Object) observation));
                float[][] second = logits(act.invoke(policy, (Object) observation));
                begin.invoke(policy);
                assertThat(logits(act.invoke(policy, (Object) observation))).isDeepEqualTo(first);
                assertThat(first[0][0] == second[0][0]).isEqualTo(kind.equals("mlp"));
            }
        }
    }

    private static float[][] logits(Object result) throws Exception {
        return (float[][])
                ((OnnxTensor) ((OrtSession.Result) result).get("logits").orElseThrow()).getValue();
    }

    /** Plays three episodes of Gymnasium's CartPole by a policy that was trained in Fovea's. */
    @Test
    void pythonOfTheDocumentationRuns(@TempDir Path place) throws Exception {
        Python.require("numpy", "onnxruntime", "gymnasium");
        assertThat(Cli.run(Cli.words("export %s --onnx %s --which best", run, place.resolve("policy.onnx")))
                        .exitCode())
                .isZero();
        Files.writeString(place.resolve("play.py"), block("python"));
        assertThat(Python.run(place, "play.py")).matches("(seed \\d: return \\d+\\R){3}");
    }
}
