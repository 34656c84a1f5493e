// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.io.SafeTensors;
import org.fovea.io.TensorData;
import org.fovea.io.TensorType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Results of the command on cases that can be followed by hand. */
class AttentionTest {
    private static final double EXACT = 1e-14;

    @TempDir
    private Path directory;

    private final Map<String, TensorData> request = new LinkedHashMap<>();

    /** One head, two queries, two keys of length 1: scores are q k. */
    AttentionTest() {
        put("q", new double[] {1, 2}, 1, 1, 2, 1);
        put("k", new double[] {0.5, -1}, 1, 1, 2, 1);
        put("v", new double[] {3, 5}, 1, 1, 2, 1);
    }

    private void put(String name, double[] values, long... shape) {
        request.put(name, TensorData.ofDoubles(values, shape));
    }

    private Map<String, TensorData> answer(String... options) throws IOException {
        Path out = directory.resolve("out.safetensors");
        Cli cli = run(out, options);
        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        return SafeTensors.read(out).tensors();
    }

    private Cli run(Path out, String... options) throws IOException {
        Path in = directory.resolve("in.safetensors");
        SafeTensors.write(in, request, Map.of());
        String[] arguments = new String[options.length + 4];
        arguments[0] = "attention";
        arguments[1] = in.toString();
        arguments[2] = "-o";
        arguments[3] = out.toString();
        System.arraycopy(options, 0, arguments, 4, options.length);
        return Cli.run(arguments);
    }

    private static double[] numbers(Map<String, TensorData> answer, String name) {
        return tensor(answer, name).toDoubles();
    }

    private static TensorData tensor(Map<String, TensorData> answer, String name) {
        assertThat(answer).containsKey(name);
        return answer.get(name);
    }

    private static double mean(double score0, double score1, double value0, double value1) {
        return (Math.exp(score0) * value0 + Math.exp(score1) * value1) / (Math.exp(score0) + Math.exp(score1));
    }

    @Test
    void outputAndLogSumExp() throws IOException {
        Map<String, TensorData> answer = answer();

        assertThat(answer).containsOnlyKeys("o", "lse");
        assertThat(tensor(answer, "o").shape()).containsExactly(1, 1, 2, 1);
        assertThat(numbers(answer, "o"))
                .containsExactly(new double[] {mean(0.5, -1, 3, 5), mean(1, -2, 3, 5)}, within(EXACT));
        assertThat(tensor(answer, "lse").shape()).containsExactly(1, 1, 2);
        assertThat(numbers(answer, "lse"))
                .containsExactly(
                        new double[] {Math.log(Math.exp(0.5) + Math.exp(-1)), Math.log(Math.exp(1) + Math.exp(-2))},
                        within(EXACT));
    }

    @Test
    void anOptionalValueIsNotTheNextArgument() throws IOException {
        Path in = directory.resolve("in.safetensors");
        SafeTensors.write(in, request, Map.of());
        Path out = directory.resolve("out.safetensors");

        Cli cli = Cli.run("attention", "--causal", in.toString(), "--weights", "-o", out.toString());

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        Map<String, TensorData> answer = SafeTensors.read(out).tensors();
        assertThat(numbers(answer, "weights")).startsWith(1, 0);
        assertThat(numbers(answer, "o")[0]).isEqualTo(3);
    }

    @ParameterizedTest
    @CsvSource({
        "scores, 2, -4, 4, -8",
        "softcap, 2.5, -2.5, 2.5, -2.5",
        "masked, 2.9, -Infinity, 2.9, -2.1",
        "softmax, 1, 0, 0.9933071490757153, 0.0066928509242848554"
    })
    void weightsAtEveryStage(String stage, double a, double b, double c, double d) throws IOException {
        // The bias saturates the cap of 2.5; the mask comes after it.
        put("bias", new double[] {1e9, -1e9}, 2);
        put("mask", new double[] {0.4}, 1, 1);
        Map<String, TensorData> answer = answer("--scale", "4", "--softcap", "2.5", "--causal", "--weights=" + stage);

        assertThat(numbers(answer, "weights")).containsExactly(new double[] {a, b, c, d}, within(1e-12));
    }

    @Test
    void weightsOfSomeRows() throws IOException {
        double[] all = numbers(answer("--weights"), "weights");

        TensorData some = tensor(answer("--weights", "--rows", "1:2"), "weights");

        assertThat(some.shape()).containsExactly(1, 1, 1, 2);
        assertThat(some.toDoubles()).containsExactly(all[2], all[3]);
    }

    @Test
    void gradientsAgreeWithDifferences() throws IOException {
        put("bias", new double[] {0.3, -0.2}, 1, 2);
        put("sink", new double[] {0.1}, 1);
        put("do", new double[] {1, -2}, 1, 1, 2, 1);
        put("dlse", new double[] {0.5, 0.25}, 1, 1, 2);
        Map<String, TensorData> answer = answer("--softcap", "3");

        for (String name : new String[] {"q", "k", "v", "bias", "sink"}) {
            TensorData tensor = request.get(name);
            double[] gradient = numbers(answer, "d" + name);
            for (int i = 0; i < gradient.length; i++) {
                double slope = (objective(name, tensor, i, 1e-5) - objective(name, tensor, i, -1e-5)) / 2e-5;
                assertThat(gradient[i]).as("d%s[%d]", name, i).isCloseTo(slope, within(1e-8));
            }
        }
    }

    private double objective(String name, TensorData tensor, int element, double step) throws IOException {
        double[] moved = tensor.toDoubles();
        moved[element] += step;
        put(name, moved, tensor.shape());
        Map<String, TensorData> answer = answer("--softcap", "3");
        request.put(name, tensor);
        double[] o = numbers(answer, "o");
        double[] lse = numbers(answer, "lse");
        return o[0] - 2 * o[1] + 0.5 * lse[0] + 0.25 * lse[1];
    }

    /** Each says the same of the second derivative: double backward, and the tangent of the gradient as a coefficient. */
    @Test
    void doubleBackwardTangentAndCoefficientsAgree() throws IOException {
        put("do", new double[] {1, -2}, 1, 1, 2, 1);
        double[] direction = {0.7, -0.4};
        for (String name : new String[] {"dd", "t"}) {
            put(name + "q", direction, 1, 1, 2, 1);
        }
        put("q.1", direction, 1, 1, 2, 1);
        Map<String, TensorData> answer = answer("--order", "2");

        assertThat(answer)
                .containsOnlyKeys(
                        "o", "lse", "dq", "dk", "dv", "g_q", "g_k", "g_v", "g_do", "g_dlse", "to", "tlse", "o.1", "o.2",
                        "lse.1", "lse.2", "dq.1", "dq.2", "dk.1", "dk.2", "dv.1", "dv.2");
        assertThat(numbers(answer, "to")).containsExactly(numbers(answer, "g_do"), within(EXACT));
        assertThat(numbers(answer, "to")).containsExactly(numbers(answer, "o.1"), within(EXACT));
        assertThat(numbers(answer, "tlse")).containsExactly(numbers(answer, "lse.1"), within(EXACT));
        assertThat(numbers(answer, "tlse")).containsExactly(numbers(answer, "g_dlse"), within(EXACT));
        for (String name : new String[] {"q", "k", "v"}) {
            assertThat(numbers(answer, "g_" + name)).containsExactly(numbers(answer, "d" + name + ".1"), within(EXACT));
        }
        // o of query 0 is 3 + 2 s(1.5 q) with the logistic function of minus the difference of the scores.
        double s = 1 / (1 + Math.exp(1.5));
        double second = s * (1 - s) * (1 - 2 * s) * 1.5 * 1.5;
        assertThat(numbers(answer, "o.1")[0]).isCloseTo(-2 * s * (1 - s) * 1.5 * 0.7, within(EXACT));
        assertThat(numbers(answer, "o.2")[0]).isCloseTo(2 * second * 0.7 * 0.7 / 2, within(EXACT));
    }

    @Test
    void thePastComesFirstAndHasNoGradient() throws IOException {
        put("past_k", new double[] {0.5}, 1, 1, 1, 1);
        put("past_v", new double[] {3}, 1, 1, 1, 1);
        put("k", new double[] {-1}, 1, 1, 1, 1);
        put("v", new double[] {5}, 1, 1, 1, 1);
        put("q", new double[] {1}, 1, 1, 1, 1);
        put("do", new double[] {1}, 1, 1, 1, 1);
        Map<String, TensorData> answer = answer("--causal");

        assertThat(numbers(answer, "o")[0]).isCloseTo(mean(0.5, -1, 3, 5), within(EXACT));
        assertThat(numbers(answer, "present_k")).containsExactly(0.5, -1);
        assertThat(numbers(answer, "present_v")).containsExactly(3, 5);
        double p = 1 / (1 + Math.exp(1.5));
        assertThat(numbers(answer, "dv")).containsExactly(new double[] {p}, within(EXACT));
        assertThat(numbers(answer, "dk")).containsExactly(new double[] {2 * p * (1 - p)}, within(EXACT));
    }

    @Test
    void pastOfSeveralHeadsIsJoinedHeadByHead() throws IOException {
        put("q", new double[] {1, 1, 1, 1}, 2, 2, 1, 1);
        put("k", new double[] {2, 3, 5, 6, 8, 9, 11, 12}, 2, 2, 2, 1);
        put("v", new double[] {2, 3, 5, 6, 8, 9, 11, 12}, 2, 2, 2, 1);
        put("past_k", new double[] {1, 4, 7, 10}, 2, 2, 1, 1);
        put("past_v", new double[] {1, 4, 7, 10}, 2, 2, 1, 1);

        assertThat(numbers(answer(), "present_k")).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    }

    @Test
    void aRowWithNothingToSee() throws IOException {
        put("k", new double[] {Double.NaN, Double.POSITIVE_INFINITY}, 1, 1, 2, 1);
        request.put("kv_lengths", TensorData.ofLongs(new long[] {0}, 1));
        put("do", new double[] {1, 1}, 1, 1, 2, 1);
        Map<String, TensorData> answer = answer();

        assertThat(numbers(answer, "o")).containsOnly(0);
        assertThat(numbers(answer, "lse")).containsOnly(Double.POSITIVE_INFINITY);
        assertThat(numbers(answer, "dq")).containsOnly(0);
        assertThat(numbers(answer, "dk")).containsOnly(0);
        assertThat(numbers(answer, "dv")).containsOnly(0);
    }

    @Test
    void truthsHideAndNumbersAreAdded() throws IOException {
        request.put("mask", new TensorData(TensorType.BOOL, new long[] {2}, ByteBuffer.wrap(new byte[] {0, 1})));
        assertThat(numbers(answer(), "o")).containsExactly(5, 5);
        put("mask", new double[] {0, Double.NEGATIVE_INFINITY}, 2);
        assertThat(numbers(answer(), "o")).containsExactly(3, 3);
    }

    @Test
    void packedSequencesDoNotSeeEachOther() throws IOException {
        request.put("cu_seqlens_q", TensorData.ofInts(new int[] {0, 1, 2}, 3));
        request.put("cu_seqlens_k", TensorData.ofLongs(new long[] {0, 1, 2}, 3));

        assertThat(numbers(answer("--causal=bottom-right"), "o")).containsExactly(3, 5);
    }

    @Test
    void aWindowMayBeAlignedToTheEnd() throws IOException {
        request.put("kv_lengths", TensorData.ofInts(new int[] {1}, 1));

        assertThat(numbers(answer("--window", "0,0"), "o")).containsExactly(3, 0);
        assertThat(numbers(answer("--window", "0,0", "--align", "bottom-right"), "o"))
                .containsExactly(0, 3);
    }

    @ParameterizedTest
    @CsvSource({"F16, 2", "BF16, 2", "F32, 4"})
    void resultsAreOfTheTypeOfTheQuery(TensorType type, int bytes) throws IOException {
        for (String name : new String[] {"q", "k", "v"}) {
            ByteBuffer ones = ByteBuffer.allocate(2 * bytes).order(ByteOrder.LITTLE_ENDIAN);
            int one = type == TensorType.F16 ? 0x3C00 : 0x3F80;
            for (int i = 0; i < 2; i++) {
                if (bytes == 2) {
                    ones.putShort((short) one);
                } else {
                    ones.putFloat(1);
                }
            }
            request.put(name, new TensorData(type, new long[] {1, 1, 2, 1}, ones.flip()));
        }
        request.put("do", request.get("q"));
        put("bias", new double[] {-1e300, 0}, 2);
        put("sink", new double[] {-1000}, 1);
        Map<String, TensorData> answer = answer("--backend", "cpu");

        for (String name : new String[] {"o", "dq", "dk", "dv", "dbias", "dsink"}) {
            assertThat(tensor(answer, name).type()).as(name).isEqualTo(type);
        }
        assertThat(tensor(answer, "o").data()).isEqualTo(request.get("v").data());
        assertThat(tensor(answer, "lse").toFloats()).containsOnly(1);
    }

    @Test
    void whatIsEmptyStaysEmpty() throws IOException {
        put("q", new double[0], 0, 2, 3, 4);
        put("k", new double[0], 0, 1, 5, 4);
        put("v", new double[0], 0, 1, 5, 6);
        put("do", new double[0], 0, 2, 3, 6);
        put("sink", new double[] {1, 2}, 2);
        put("ddsink", new double[] {1, 2}, 2);
        Map<String, TensorData> answer = answer("--weights", "--order", "1");

        assertThat(tensor(answer, "o").shape()).containsExactly(0, 2, 3, 6);
        assertThat(tensor(answer, "dk").shape()).containsExactly(0, 1, 5, 4);
        assertThat(tensor(answer, "weights").shape()).containsExactly(0, 2, 3, 5);
        assertThat(numbers(answer, "dsink")).containsExactly(0, 0);
        assertThat(numbers(answer, "g_sink")).containsExactly(0, 0);
    }

    @Test
    void withoutKeysNothingIsSeen() throws IOException {
        put("k", new double[0], 1, 1, 0, 1);
        put("v", new double[0], 1, 1, 0, 1);
        put("do", new double[] {1, 1}, 1, 1, 2, 1);
        Map<String, TensorData> answer = answer();

        assertThat(numbers(answer, "o")).containsOnly(0);
        assertThat(numbers(answer, "lse")).containsOnly(Double.POSITIVE_INFINITY);
        assertThat(numbers(answer, "dq")).containsOnly(0);
    }

    @Test
    void withoutKeysASinkHasAll() throws IOException {
        put("k", new double[0], 1, 1, 0, 1);
        put("v", new double[0], 1, 1, 0, 1);
        put("sink", new double[] {1.5}, 1);
        put("do", new double[] {1, 1}, 1, 1, 2, 1);
        put("dlse", new double[] {0.25, 2}, 1, 1, 2);
        Map<String, TensorData> answer = answer();

        assertThat(numbers(answer, "o")).containsOnly(0);
        assertThat(numbers(answer, "lse")).containsOnly(1.5);
        assertThat(numbers(answer, "dq")).containsOnly(0);
        assertThat(numbers(answer, "dsink")).containsExactly(2.25);
    }

    @Test
    void manyHeads() throws IOException {
        int heads = 70_000;
        double[] ones = new double[heads];
        double[] values = new double[heads];
        for (int h = 0; h < heads; h++) {
            ones[h] = 1;
            values[h] = h;
        }
        put("q", ones, 1, heads, 1, 1);
        put("k", ones, 1, heads, 1, 1);
        put("v", values, 1, heads, 1, 1);

        assertThat(numbers(answer(), "o")).containsExactly(values);
    }

    @Test
    void dropoutIsDecidedByItsSeed() throws IOException {
        double[] first = numbers(answer("--dropout", "0.5", "--seed", "3"), "o");

        assertThat(numbers(answer("--dropout", "0.5", "--seed", "3"), "o")).containsExactly(first);
        assertThat(numbers(answer("--dropout", "0", "--seed", "3"), "o")).containsExactly(numbers(answer(), "o"));
        assertThat(numbers(answer("--dropout", "1", "--seed", "3"), "o")).containsOnly(0);
    }

    @Test
    void theInputMayBeReplacedByItsAnswer() throws IOException {
        Path in = directory.resolve("in.safetensors");

        assertThat(run(in).exitCode()).isZero();

        assertThat(SafeTensors.read(in).tensors()).containsOnlyKeys("o", "lse");
        try (var files = Files.list(directory)) {
            assertThat(files).containsExactly(in);
        }
    }
}
