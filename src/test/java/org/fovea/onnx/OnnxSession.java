// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** Acts in some environments by a model in ONNX Runtime, and keeps its memory for it, by what the model says of itself alone. */
final class OnnxSession implements AutoCloseable {
    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    private final int count;

    /** By name, [count, ...]: float[] or long[]. */
    private final Map<String, Object> memory = new LinkedHashMap<>();

    private final Map<String, long[]> shapes = new HashMap<>();

    OnnxSession(byte[] model, int count) throws OrtException {
        this.count = count;
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(1);
            this.session = environment.createSession(model, options);
        }
        for (Map.Entry<String, NodeInfo> input : session.getInputInfo().entrySet()) {
            TensorInfo info = (TensorInfo) input.getValue().getInfo();
            long[] shape = info.getShape();
            shape[0] = count;
            long length = 1;
            for (long size : shape) {
                length *= size;
            }
            shapes.put(input.getKey(), shape);
            if (input.getKey().startsWith("memory.")) {
                memory.put(
                        input.getKey(),
                        info.type == OnnxJavaType.INT64 ? new long[(int) length] : new float[(int) length]);
            }
        }
    }

    Map<String, String> metadata() throws OrtException {
        return session.getMetadata().getCustomMetadata();
    }

    Map<String, NodeInfo> inputs() throws OrtException {
        return session.getInputInfo();
    }

    /** What comes out, by name: float[] or long[]. */
    Map<String, Object> act(float[] observations, boolean[] allowed, boolean[] starts) throws OrtException {
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try {
            inputs.put(
                    "observation",
                    OnnxTensor.createTensor(environment, FloatBuffer.wrap(observations), shapes.get("observation")));
            if (allowed.length > 0) {
                boolean[][] rows = new boolean[count][allowed.length / count];
                for (int i = 0; i < allowed.length; i++) {
                    rows[i / rows[0].length][i % rows[0].length] = allowed[i];
                }
                inputs.put("action_mask", OnnxTensor.createTensor(environment, rows));
            }
            for (Map.Entry<String, Object> entry : memory.entrySet()) {
                clear(entry.getValue(), starts);
                long[] shape = shapes.get(entry.getKey());
                inputs.put(
                        entry.getKey(),
                        entry.getValue() instanceof long[] longs
                                ? OnnxTensor.createTensor(environment, LongBuffer.wrap(longs), shape)
                                : OnnxTensor.createTensor(
                                        environment, FloatBuffer.wrap((float[]) entry.getValue()), shape));
            }
            Map<String, Object> outputs = new HashMap<>();
            try (OrtSession.Result result = session.run(inputs)) {
                for (Map.Entry<String, OnnxValue> output : result) {
                    outputs.put(output.getKey(), values((OnnxTensor) output.getValue()));
                }
            }
            memory.replaceAll((name, before) -> outputs.get("next_" + name));
            return outputs;
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    /** Says that other actions were taken. */
    void acted(Object actions) {
        memory.computeIfPresent("memory.action", (name, before) -> actions);
    }

    private void clear(Object memory, boolean[] starts) {
        for (int i = 0; i < count; i++) {
            if (starts[i]) {
                if (memory instanceof long[] longs) {
                    Arrays.fill(longs, i * (longs.length / count), (i + 1) * (longs.length / count), 0);
                } else {
                    float[] floats = (float[]) memory;
                    Arrays.fill(floats, i * (floats.length / count), (i + 1) * (floats.length / count), 0);
                }
            }
        }
    }

    private static Object values(OnnxTensor tensor) {
        if (tensor.getInfo().type == OnnxJavaType.INT64) {
            long[] values = new long[tensor.getLongBuffer().remaining()];
            tensor.getLongBuffer().get(values);
            return values;
        }
        float[] values = new float[tensor.getFloatBuffer().remaining()];
        tensor.getFloatBuffer().get(values);
        return values;
    }

    @Override
    public void close() throws OrtException {
        session.close();
    }
}
