// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/**
 * Speed of attention over a ladder of shapes, in useful GFLOP/s: 4 B H N N D for a forward pass and 2.5 times that for a
 * backward pass; causal attention counts the N (N + 1) / 2 pairs it needs, not those it computes.
 */
public final class AttentionBench {
    private static final long WARM_UP_NANOS = 700_000_000;
    private static final long SAMPLE_NANOS = 40_000_000;
    private static final int SAMPLES = 9;
    private static final int GEMM_SIZE = 512;
    private static final double BACKWARD_TO_FORWARD = 2.5;

    /** Backward passes are held to this part of the forward pass's rate. */
    private static final double BACKWARD_TARGET = 0.9;

    private AttentionBench() {}

    /** A shape of the ladder and the rates it is held to on one core with AVX-512 at 91 GFLOP/s of sgemm. */
    private record Rung(int batch, int heads, int length, int headDim, double fullTarget, double causalTarget) {
        @Override
        public String toString() {
            return batch + " x " + heads + " x " + length + " x " + headDim;
        }
    }

    private static final List<Rung> LADDER = List.of(
            new Rung(256, 4, 16, 32, 30, 18),
            new Rung(256, 4, 64, 32, 50, 32),
            new Rung(64, 4, 128, 64, 65, 45),
            new Rung(1, 8, 1024, 64, 72, 60),
            new Rung(1, 8, 2048, 64, 72, 65),
            new Rung(4, 8, 512, 128, 75, 60));

    /** Measures and prints a table; takes about two minutes. */
    public static void run(PrintStream out, Backend backend) {
        out.println("attention on " + backend.description());
        out.println("useful GFLOP/s, median of " + SAMPLES + " samples; target in brackets");
        // The compiler shares the cores with what is measured: all code is compiled before the first figure counts.
        GemmBench.run(backend, GEMM_SIZE);
        for (Rung rung : LADDER.subList(0, 2)) {
            rates(backend, rung, AttentionSpec.DEFAULT, 1);
            rates(backend, rung, AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT), 1);
        }
        out.printf(
                Locale.ROOT,
                "sgemm %d^3: %.0f%n%n",
                GEMM_SIZE,
                GemmBench.run(backend, GEMM_SIZE).gigaflops());
        out.printf("%-20s %15s %15s %15s %15s%n", "B x H x N x D", "forward", "causal", "backward", "causal");
        for (Rung rung : LADDER) {
            double[] full = rates(backend, rung, AttentionSpec.DEFAULT, 1);
            double causalPart = (rung.length + 1) / (2.0 * rung.length);
            double[] causal = rates(backend, rung, AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT), causalPart);
            out.printf(
                    "%-20s %s %s %s %s%n",
                    rung,
                    cell(full[0], rung.fullTarget),
                    cell(causal[0], rung.causalTarget),
                    cell(full[1], rung.fullTarget * BACKWARD_TARGET),
                    cell(causal[1], rung.causalTarget * BACKWARD_TARGET));
        }
        AttentionOrderBench.run(out, backend);
    }

    /**
     * Measures float32 attention of one shape, one round for each line that is read: its forward, backward and double
     * backward pass in milliseconds, as one line of JSON. So another program may be timed between the rounds.
     *
     * @param shape batch, heads, length, headDim
     */
    public static void rounds(BufferedReader lines, PrintStream out, Backend backend, int... shape) throws IOException {
        AttentionOrderBench.rounds(lines, out, backend, shape);
    }

    private static String cell(double rate, double target) {
        return String.format(Locale.ROOT, "%8.1f [%4.1f]", rate, target);
    }

    /** Rates of a forward and a backward pass of which {@code part} of the scores are useful. */
    private static double[] rates(Backend backend, Rung rung, AttentionSpec spec, double part) {
        AttentionShape shape = new AttentionShape(
                rung.batch,
                rung.heads,
                rung.length,
                rung.length,
                rung.headDim,
                rung.headDim,
                AttentionShape.Layout.BHND);
        DeviceArray query = gaussians(backend, shape.querySize(), 1);
        DeviceArray key = gaussians(backend, shape.keySize(), 2);
        DeviceArray value = gaussians(backend, shape.valueSize(), 3);
        DeviceArray dOutput = gaussians(backend, shape.outputSize(), 4);
        DeviceArray output = backend.memory().allocate(DType.F32, shape.outputSize());
        DeviceArray logSumExp = backend.memory().allocate(DType.F32, shape.logSumExpSize());
        DeviceArray dQuery = backend.memory().allocate(DType.F32, shape.querySize());
        DeviceArray dKey = backend.memory().allocate(DType.F32, shape.keySize());
        DeviceArray dValue = backend.memory().allocate(DType.F32, shape.valueSize());
        AttentionCall<DeviceArray> call = AttentionCall.of(shape, spec, query, key, value);
        AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(output, logSumExp)
                .withState(backend.attention(), call, backend.memory()::allocate);
        AttentionPlane<DeviceArray> dOutputs = AttentionPlane.outputs(dOutput, null);
        AttentionPlane<DeviceArray> gradients = AttentionPlane.inputs(dQuery, dKey, dValue);
        double forward = medianSeconds(backend, () -> backend.attention().forward(call, out));
        double backward = medianSeconds(backend, () -> backend.attention().backward(call, out, dOutputs, gradients));
        release(query, key, value, dOutput, output, logSumExp, dQuery, dKey, dValue);
        if (out.state() != null) {
            out.state().release();
        }
        double gigaflops = 4e-9 * rung.batch * rung.heads * rung.length * rung.length * rung.headDim * part;
        return new double[] {gigaflops / forward, BACKWARD_TO_FORWARD * gigaflops / backward};
    }

    static double medianSeconds(Backend backend, Runnable body) {
        long start = System.nanoTime();
        long warmUps = 0;
        while (System.nanoTime() - start < WARM_UP_NANOS) {
            body.run();
            backend.synchronize();
            warmUps++;
        }
        long repeats = Math.max(1, warmUps * SAMPLE_NANOS / WARM_UP_NANOS);
        double[] seconds = new double[SAMPLES];
        for (int sample = 0; sample < SAMPLES; sample++) {
            double all = backend.seconds(() -> {
                for (long i = 0; i < repeats; i++) {
                    body.run();
                }
            });
            seconds[sample] = all / repeats;
        }
        Arrays.sort(seconds);
        return seconds[SAMPLES / 2];
    }

    static DeviceArray gaussians(Backend backend, long length, long seed) {
        Random random = new Random(seed);
        float[] host = new float[Math.toIntExact(length)];
        for (int i = 0; i < host.length; i++) {
            host[i] = (float) random.nextGaussian();
        }
        DeviceArray array = backend.memory().allocate(DType.F32, length);
        backend.memory().upload(host, 0, array);
        return array;
    }

    static void release(DeviceArray... arrays) {
        for (DeviceArray array : arrays) {
            array.release();
        }
    }
}
