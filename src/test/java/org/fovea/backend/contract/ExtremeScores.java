package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/**
 * Attention with masks and biases of huge finite numbers on a backend, and the softmax by the textbook: less the maximum, in
 * float64.
 *
 * @param scale of the scores
 */
public record ExtremeScores(Backend backend, double scale) {
    public static final int N = 7;
    public static final int M = 70;
    public static final int DV = 2;
    public static final double HIDDEN = Double.NEGATIVE_INFINITY;
    private static final int D = 3;
    private static final AttentionShape SHAPE = new AttentionShape(1, 1, 1, N, M, D, DV, AttentionShape.Layout.BHND);

    /** With the usual scale. */
    public ExtremeScores(Backend backend) {
        this(backend, AttentionSpec.DEFAULT.scale(D));
    }

    /** Numbers by name, all that have a type's digits: 16-bit ones hold them exactly. */
    public static Map<String, double[]> numbers(double sixteenths) {
        Random random = new Random(5);
        Map<String, double[]> numbers = new LinkedHashMap<>();
        Map<String, Integer> sizes = new LinkedHashMap<>();
        for (String prefix : new String[] {"", "t."}) {
            sizes.put(prefix + "query", N * D);
            sizes.put(prefix + "key", M * D);
            sizes.put(prefix + "value", M * DV);
            sizes.put(prefix + "bias", N * M);
            sizes.put(prefix + "dOutput", N * DV);
            sizes.put(prefix + "dLogSumExp", N);
        }
        sizes.forEach((name, size) -> {
            double[] x = new double[size];
            Arrays.setAll(x, i -> Math.rint(random.nextGaussian() * sixteenths) / sixteenths);
            numbers.put(name, x);
        });
        numbers.put("mask", new double[N * M]);
        return numbers;
    }

    /** Rows: all lowest, all but one, every other, hidden and lowest, lowest after ordinary tiles, none, hidden and ordinary. */
    public static void place(double[] term, double lowest) {
        for (int j = 0; j < M; j++) {
            term[j] = lowest;
            term[M + j] = j == 66 ? 0 : lowest;
            term[2 * M + j] = j % 2 == 0 ? lowest : 0;
            term[3 * M + j] = j % 3 == 0 ? lowest : HIDDEN;
            term[4 * M + j] = j >= 64 ? lowest : 0;
            term[6 * M + j] = j % 5 == 0 ? HIDDEN : 0;
        }
    }

    /** Output, log-sum-exp, gradients and tangents of everything, by loops over rows. */
    public Map<String, double[]> naive(Map<String, double[]> x) {
        Map<String, double[]> y = new LinkedHashMap<>();
        for (String prefix : new String[] {"", "t."}) {
            y.put(prefix + "output", new double[N * DV]);
            y.put(prefix + "logSumExp", new double[N]);
            y.put(prefix + "query", new double[N * D]);
            y.put(prefix + "key", new double[M * D]);
            y.put(prefix + "value", new double[M * DV]);
            y.put(prefix + "bias", new double[N * M]);
        }
        y.put("weights", new double[N * M]);
        for (int i = 0; i < N; i++) {
            row(i, x, y);
        }
        return y;
    }

    private void row(int i, Map<String, double[]> x, Map<String, double[]> y) {
        double[] s = new double[M];
        double[] st = new double[M];
        double[] g = new double[M];
        double[] gt = new double[M];
        double largest = HIDDEN;
        for (int j = 0; j < M; j++) {
            s[j] = scale * dot(x, "query", i, "key", j, D) + x.get("bias")[i * M + j] + x.get("mask")[i * M + j];
            st[j] = scale * (dot(x, "t.query", i, "key", j, D) + dot(x, "query", i, "t.key", j, D))
                    + x.get("t.bias")[i * M + j];
            g[j] = dot(x, "dOutput", i, "value", j, DV);
            gt[j] = dot(x, "t.dOutput", i, "value", j, DV) + dot(x, "dOutput", i, "t.value", j, DV);
            largest = Math.max(largest, s[j]);
        }
        double sum = 0;
        double[] p = new double[M];
        for (int j = 0; j < M; j++) {
            p[j] = Math.exp(s[j] - largest);
            sum += p[j];
        }
        y.get("logSumExp")[i] = largest + Math.log(sum);
        double mean = 0;
        for (int j = 0; j < M; j++) {
            p[j] /= sum;
            y.get("weights")[i * M + j] = p[j];
            mean += p[j] * st[j];
        }
        y.get("t.logSumExp")[i] = mean;
        double delta = -x.get("dLogSumExp")[i];
        double deltaT = -x.get("t.dLogSumExp")[i];
        double[] pt = new double[M];
        for (int j = 0; j < M; j++) {
            pt[j] = p[j] * (st[j] - mean);
            delta += p[j] * g[j];
            deltaT += pt[j] * g[j] + p[j] * gt[j];
            for (int c = 0; c < DV; c++) {
                y.get("output")[i * DV + c] += p[j] * x.get("value")[j * DV + c];
                y.get("t.output")[i * DV + c] +=
                        pt[j] * x.get("value")[j * DV + c] + p[j] * x.get("t.value")[j * DV + c];
                y.get("value")[j * DV + c] += p[j] * x.get("dOutput")[i * DV + c];
                y.get("t.value")[j * DV + c] +=
                        pt[j] * x.get("dOutput")[i * DV + c] + p[j] * x.get("t.dOutput")[i * DV + c];
            }
        }
        for (int j = 0; j < M; j++) {
            double ds = p[j] * (g[j] - delta);
            double dst = pt[j] * (g[j] - delta) + p[j] * (gt[j] - deltaT);
            y.get("bias")[i * M + j] = ds;
            y.get("t.bias")[i * M + j] = dst;
            for (int c = 0; c < D; c++) {
                int q = i * D + c;
                int k = j * D + c;
                y.get("query")[q] += scale * ds * x.get("key")[k];
                y.get("t.query")[q] += scale * (dst * x.get("key")[k] + ds * x.get("t.key")[k]);
                y.get("key")[k] += scale * ds * x.get("query")[q];
                y.get("t.key")[k] += scale * (dst * x.get("query")[q] + ds * x.get("t.query")[q]);
            }
        }
    }

    private static double dot(Map<String, double[]> x, String a, int i, String b, int j, int width) {
        double sum = 0;
        for (int c = 0; c < width; c++) {
            sum += x.get(a)[i * width + c] * x.get(b)[j * width + c];
        }
        return sum;
    }

    /** The same by the backend, in {@code type}. */
    public Map<String, double[]> run(Map<String, double[]> x, DType type, boolean withBias) {
        Map<String, double[]> results = new LinkedHashMap<>();
        try (Scope scope = backend.memory().openScope()) {
            DType wide = type == DType.F64 ? DType.F64 : DType.F32;
            Map<String, DeviceArray> in = new LinkedHashMap<>();
            x.forEach((name, values) -> {
                boolean scalar = name.contains("LogSumExp") || name.endsWith("bias") || name.equals("mask");
                DeviceArray array = scope.allocate(scalar ? wide : type, values.length);
                backend.memory().upload(values, 0, array);
                in.put(name, array);
            });
            Map<String, DeviceArray> out = new LinkedHashMap<>();
            naive(x).forEach((name, like) -> {
                boolean scalar = name.contains("logSumExp") || name.endsWith("bias") || name.equals("weights");
                if (withBias || !name.endsWith("bias")) {
                    out.put(name, scope.allocate(scalar ? wide : type, like.length));
                }
            });
            AttentionSpec spec = AttentionSpec.DEFAULT.withScale(scale);
            AttentionCall<DeviceArray> call = AttentionCall.of(
                            SHAPE, spec, in.get("query"), in.get("key"), in.get("value"))
                    .withBias(withBias ? new ScoreBias<>(in.get("bias"), 1, 1, N, M) : null)
                    .withMask(
                            AttentionMask.<DeviceArray>none().withScores(new ScoreBias<>(in.get("mask"), 1, 1, N, M)));
            AttentionOutputs<DeviceArray> outputs = new AttentionOutputs<>(out.get("output"), out.get("logSumExp"))
                    .withState(backend.attention(), call, scope::allocate);
            AttentionPlane<DeviceArray> dOutputs = AttentionPlane.outputs(in.get("dOutput"), in.get("dLogSumExp"));
            AttentionPlane<DeviceArray> given = arguments(in, "t.", withBias);
            AttentionPlane<DeviceArray> outputTangents =
                    AttentionPlane.outputs(out.get("t.output"), out.get("t.logSumExp"));
            backend.attention().forward(call, outputs);
            backend.attention().backward(call, outputs, dOutputs, arguments(out, "", withBias));
            backend.attention()
                    .backwardTangent(
                            call,
                            outputs,
                            dOutputs,
                            given.withOutputs(in.get("t.dOutput"), in.get("t.dLogSumExp")),
                            arguments(out, "t.", withBias)
                                    .withOutputs(outputTangents.output(), outputTangents.logSumExp()));
            backend.attention().weights(call, outputs, ScoreStage.SOFTMAX, 0, out.get("weights"));
            List<String> tangents = List.of("t.output", "t.logSumExp");
            out.forEach((name, array) -> results.put(name, download(array)));
            for (String name : tangents) {
                backend.memory().fill(out.get(name), Double.NaN);
            }
            backend.attention().tangent(call, outputs, given, outputTangents);
            for (String name : tangents) {
                results.put(name + " alone", download(out.get(name)));
            }
        }
        return results;
    }

    private static AttentionPlane<DeviceArray> arguments(Map<String, DeviceArray> x, String prefix, boolean withBias) {
        return AttentionPlane.inputs(
                x.get(prefix + "query"),
                x.get(prefix + "key"),
                x.get(prefix + "value"),
                withBias ? x.get(prefix + "bias") : null,
                null);
    }

    private double[] download(DeviceArray array) {
        double[] values = new double[(int) array.length()];
        backend.memory().download(array, values, 0);
        return values;
    }

    /** Within {@code tolerance} of the largest element, infinities and NaN alike; log-sum-exps each of its own size. */
    public static void assertClose(
            Map<String, double[]> expected, Map<String, double[]> actual, double tolerance, String what) {
        actual.forEach((name, values) -> {
            double[] right = expected.get(name.replace(" alone", ""));
            boolean each = name.equals("logSumExp");
            double largest = each
                    ? 0
                    : Arrays.stream(right)
                            .map(Math::abs)
                            .filter(Double::isFinite)
                            .max()
                            .orElse(0);
            for (int i = 0; i < right.length; i++) {
                double size = 1 + (each ? Math.abs(right[i]) : largest);
                boolean same = Double.compare(right[i], values[i]) == 0
                        || Math.abs(right[i] / size - values[i] / size) <= tolerance;
                assertThat(same)
                        .as("%s: %s, element %d is %s, expected %s", what, name, i, values[i], right[i])
                        .isTrue();
            }
        });
    }

    /** Rounding of the type's arithmetic over the sums of M terms; of 16-bit types, that of what is stored. */
    public static double tolerance(DType type) {
        return switch (type) {
            case F64 -> 1e-12;
            case BF16 -> 0x1p-8;
            case F16 -> 0x1p-11;
            default -> 4e-6;
        };
    }
}
