// SPDX-License-Identifier: Apache-2.0
package org.fovea.bench;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One forward or backward pass of attention on one thread, over the ladder of {@code fovea bench attention}. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class AttentionBenchmark {

    /** Batch, heads, length and head dim. */
    @Param({"256x4x16x32", "256x4x64x32", "64x4x128x64", "1x8x1024x64", "1x8x2048x64", "4x8x512x128"})
    public String shape = "256x4x16x32";

    /** Whether keys after the query are hidden. */
    @Param({"false", "true"})
    public boolean causal;

    private Backend backend;
    private AttentionCall<DeviceArray> call;
    private AttentionOutputs<DeviceArray> out;
    private AttentionPlane<DeviceArray> dOutputs;
    private AttentionPlane<DeviceArray> gradients;

    /** Opens the backend and makes the arrays. */
    @Setup(Level.Trial)
    public void open() {
        int[] n = Arrays.stream(shape.split("x")).mapToInt(Integer::parseInt).toArray();
        AttentionShape extents = new AttentionShape(n[0], n[1], n[2], n[2], n[3], n[3], AttentionShape.Layout.BHND);
        AttentionSpec spec = causal ? AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT) : AttentionSpec.DEFAULT;
        backend = Backends.open("cpu", 1).backend();
        call = AttentionCall.of(
                extents,
                spec,
                gaussians(extents.querySize(), 1),
                gaussians(extents.keySize(), 2),
                gaussians(extents.valueSize(), 3));
        dOutputs = AttentionPlane.outputs(gaussians(extents.outputSize(), 4), null);
        out = new AttentionOutputs<>(
                        backend.memory().allocate(DType.F32, extents.outputSize()),
                        backend.memory().allocate(DType.F32, extents.logSumExpSize()))
                .withState(backend.attention(), call, backend.memory()::allocate);
        gradients = AttentionPlane.inputs(
                backend.memory().allocate(DType.F32, extents.querySize()),
                backend.memory().allocate(DType.F32, extents.keySize()),
                backend.memory().allocate(DType.F32, extents.valueSize()));
        forward();
    }

    /** Closes the backend and with it frees the arrays. */
    @TearDown(Level.Trial)
    public void close() {
        backend.close();
    }

    /** The forward pass. */
    @Benchmark
    public DeviceArray forward() {
        backend.attention().forward(call, out);
        return out.output();
    }

    /** The backward pass. */
    @Benchmark
    public DeviceArray backward() {
        backend.attention().backward(call, out, dOutputs, gradients);
        return gradients.query();
    }

    AttentionCall<DeviceArray> call() {
        return call;
    }

    float[] download(DeviceArray array) {
        float[] host = new float[Math.toIntExact(array.length())];
        backend.memory().download(array, host, 0);
        return host;
    }

    private DeviceArray gaussians(long length, long seed) {
        Random random = new Random(seed);
        float[] host = new float[Math.toIntExact(length)];
        for (int i = 0; i < host.length; i++) {
            host[i] = (float) random.nextGaussian();
        }
        DeviceArray array = backend.memory().allocate(DType.F32, length);
        backend.memory().upload(host, 0, array);
        return array;
    }
}
