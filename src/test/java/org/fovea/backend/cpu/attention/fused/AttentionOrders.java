// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/** Random inputs of one attention, and all that has a hand-written order of it: values, gradients, tangents of both. */
final class AttentionOrders {
    final AttentionShape shape;
    final AttentionSpec spec;

    /** Arrays by name; that of a tangent starts with "t.". */
    final Map<String, double[]> numbers = new LinkedHashMap<>();

    int @Nullable [] keyLengths;

    AttentionOrders(AttentionShape shape, AttentionSpec spec, long seed) {
        this.shape = shape;
        this.spec = spec;
        Random random = new Random(seed);
        for (String prefix : new String[] {"", "t."}) {
            draw(random, prefix + "query", shape.querySize());
            draw(random, prefix + "key", shape.keySize());
            draw(random, prefix + "value", shape.valueSize());
            draw(random, prefix + "output", shape.outputSize());
            draw(random, prefix + "logSumExp", shape.logSumExpSize());
        }
    }

    /** Multiples of 1/16, which every type holds exactly. */
    private void draw(Random random, String name, long size) {
        double[] x = new double[(int) size];
        Arrays.setAll(x, i -> Math.rint(random.nextGaussian() * 16) / 16);
        numbers.put(name, x);
    }

    double[] get(String name) {
        double[] x = numbers.get(name);
        if (x == null) {
            throw new IllegalArgumentException("no array " + name);
        }
        return x;
    }

    /** Where row {@code i} of a key head starts, the head counted through the batch. */
    int key(int head, int i) {
        int row = shape.layout() == AttentionShape.Layout.BHND
                ? head * shape.keys() + i
                : (head / shape.keyHeads() * shape.keys() + i) * shape.keyHeads() + head % shape.keyHeads();
        return row * shape.headDim();
    }

    /** Results by name: "output" and "logSumExp", "query" and so on for gradients, and "t." before each for their tangents. */
    Map<String, double[]> run(CpuBackend backend, DType type) {
        try (Scope scope = backend.memory().openScope()) {
            Map<String, DeviceArray> given = new LinkedHashMap<>();
            Map<String, DeviceArray> made = new LinkedHashMap<>();
            numbers.forEach((name, x) -> {
                DType stored = name.endsWith("logSumExp") && type != DType.F64 ? DType.F32 : type;
                given.put(name, scope.allocate(stored, x.length));
                made.put(name, scope.allocate(stored, x.length));
                backend.memory().upload(x, 0, given.get(name));
            });
            AttentionCall<DeviceArray> call = call(backend, scope, given);
            AttentionOutputs<DeviceArray> out = compute(backend, scope, call, given, made);
            Map<String, double[]> results = new LinkedHashMap<>();
            made.forEach((name, array) -> results.put(name, download(backend, array)));
            DeviceArray output = scope.allocate(type, shape.outputSize());
            DeviceArray logSumExp = scope.allocate(type == DType.F64 ? type : DType.F32, shape.logSumExpSize());
            backend.attention().tangent(call, out, arguments(given, "t."), AttentionPlane.outputs(output, logSumExp));
            results.put("output alone", download(backend, output));
            results.put("logSumExp alone", download(backend, logSumExp));
            return results;
        }
    }

    private AttentionCall<DeviceArray> call(CpuBackend backend, Scope scope, Map<String, DeviceArray> given) {
        AttentionCall<DeviceArray> call =
                AttentionCall.of(shape, spec, given.get("query"), given.get("key"), given.get("value"));
        if (keyLengths == null) {
            return call;
        }
        DeviceArray lengths = scope.allocate(DType.I32, keyLengths.length);
        backend.memory().upload(keyLengths, 0, lengths);
        return call.withMask(AttentionMask.keyLengths(lengths));
    }

    private static AttentionOutputs<DeviceArray> compute(
            CpuBackend backend,
            Scope scope,
            AttentionCall<DeviceArray> call,
            Map<String, DeviceArray> given,
            Map<String, DeviceArray> made) {
        AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(made.get("output"), made.get("logSumExp"))
                .withState(backend.attention(), call, scope::allocate);
        backend.attention().forward(call, out);
        AttentionPlane<DeviceArray> dOutputs = AttentionPlane.outputs(given.get("output"), given.get("logSumExp"));
        backend.attention().backward(call, out, dOutputs, arguments(made, ""));
        backend.attention()
                .backwardTangent(
                        call,
                        out,
                        dOutputs,
                        arguments(given, "t.").withOutputs(given.get("t.output"), given.get("t.logSumExp")),
                        arguments(made, "t.").withOutputs(made.get("t.output"), made.get("t.logSumExp")));
        return out;
    }

    private static AttentionPlane<DeviceArray> arguments(Map<String, DeviceArray> x, String prefix) {
        return AttentionPlane.inputs(x.get(prefix + "query"), x.get(prefix + "key"), x.get(prefix + "value"));
    }

    private static double[] download(CpuBackend backend, DeviceArray array) {
        double[] x = new double[(int) array.length()];
        backend.memory().download(array, x, 0);
        return x;
    }

    @Override
    public String toString() {
        return shape + " " + spec + (keyLengths == null ? "" : " lengths" + Arrays.toString(keyLengths));
    }
}
