// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.junit.jupiter.api.Test;

/** The reference's tangents are the slopes of its forward and of its backward along a line. */
class ReferenceTangentTest {
    private static final double STEP = 1e-3;

    private static final AttentionShape SHAPE = new AttentionShape(2, 2, 5, 6, 3, 4, AttentionShape.Layout.BNHD);
    private static final AttentionSpec SPEC = AttentionSpec.DEFAULT
            .withWindow(2, AttentionSpec.UNLIMITED)
            .withCausal(AttentionSpec.Alignment.BOTTOM_RIGHT);

    private final ReferenceBackend backend = new ReferenceBackend();
    private final List<double[]> point = new ArrayList<>();
    private final List<double[]> direction = new ArrayList<>();

    /** Query, key, value, dOutput and dLogSumExp, with a direction for each. */
    ReferenceTangentTest() {
        Random random = new Random(5);
        for (long size : new long[] {
            SHAPE.querySize(), SHAPE.keySize(), SHAPE.valueSize(), SHAPE.outputSize(), SHAPE.logSumExpSize()
        }) {
            point.add(random.doubles(size).map(x -> 2 * x - 1).toArray());
            direction.add(random.doubles(size).map(x -> 2 * x - 1).toArray());
        }
    }

    private DeviceArray upload(Scope scope, double[] values) {
        DeviceArray array = scope.allocate(backend.memory().floatType(), values.length);
        backend.memory().upload(values, 0, array);
        return array;
    }

    private DeviceArray empty(Scope scope, long length) {
        return scope.allocate(backend.memory().floatType(), length);
    }

    private double[] download(DeviceArray array) {
        double[] values = new double[(int) array.length()];
        backend.memory().download(array, values, 0);
        return values;
    }

    private AttentionCall<DeviceArray> call(Scope scope, List<DeviceArray> x) {
        DeviceArray lengths = scope.allocate(DType.I32, 2);
        backend.memory().upload(new int[] {6, 4}, 0, lengths);
        return AttentionCall.of(SHAPE, SPEC, x.get(0), x.get(1), x.get(2)).withMask(AttentionMask.keyLengths(lengths));
    }

    private List<DeviceArray> upload(Scope scope, List<double[]> values) {
        return values.stream().map(x -> upload(scope, x)).toList();
    }

    /** Output, log-sum-exp (0 where infinite), dQuery, dKey and dValue at {@code point + step direction}. */
    private List<double[]> at(double step) {
        try (Scope scope = backend.memory().openScope()) {
            List<double[]> moved = new ArrayList<>();
            for (int i = 0; i < point.size(); i++) {
                double[] x = point.get(i).clone();
                for (int j = 0; j < x.length; j++) {
                    x[j] += step * direction.get(i)[j];
                }
                moved.add(x);
            }
            List<DeviceArray> x = upload(scope, moved);
            List<DeviceArray> y = List.of(
                    empty(scope, SHAPE.outputSize()),
                    empty(scope, SHAPE.logSumExpSize()),
                    empty(scope, SHAPE.querySize()),
                    empty(scope, SHAPE.keySize()),
                    empty(scope, SHAPE.valueSize()));
            AttentionCall<DeviceArray> call = call(scope, x);
            AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(y.get(0), y.get(1));
            backend.attention().forward(call, out);
            backend.attention()
                    .backward(
                            call,
                            out,
                            AttentionPlane.outputs(x.get(3), x.get(4)),
                            AttentionPlane.inputs(y.get(2), y.get(3), y.get(4)));
            List<double[]> results = new ArrayList<>();
            for (DeviceArray array : y) {
                double[] values = download(array);
                for (int i = 0; i < values.length; i++) {
                    values[i] = Double.isInfinite(values[i]) ? 0 : values[i];
                }
                results.add(values);
            }
            return results;
        }
    }

    @Test
    void areSlopes() {
        List<List<double[]>> around = List.of(at(-2 * STEP), at(-STEP), at(STEP), at(2 * STEP));
        try (Scope scope = backend.memory().openScope()) {
            List<DeviceArray> x = upload(scope, point);
            List<DeviceArray> dot = upload(scope, direction);
            AttentionCall<DeviceArray> call = call(scope, x);
            AttentionOutputs<DeviceArray> out =
                    new AttentionOutputs<>(empty(scope, SHAPE.outputSize()), empty(scope, SHAPE.logSumExpSize()));
            backend.attention().forward(call, out);
            AttentionPlane<DeviceArray> tangents = AttentionPlane.inputs(dot.get(0), dot.get(1), dot.get(2));
            DeviceArray outputTangent = empty(scope, SHAPE.outputSize());
            DeviceArray logSumExpTangent = empty(scope, SHAPE.logSumExpSize());
            AttentionPlane<DeviceArray> written = AttentionPlane.inputs(
                            empty(scope, SHAPE.querySize()),
                            empty(scope, SHAPE.keySize()),
                            empty(scope, SHAPE.valueSize()))
                    .withOutputs(outputTangent, logSumExpTangent);
            backend.attention()
                    .backwardTangent(
                            call,
                            out,
                            AttentionPlane.outputs(x.get(3), x.get(4)),
                            tangents.withOutputs(dot.get(3), dot.get(4)),
                            written);
            List<DeviceArray> actual =
                    List.of(outputTangent, logSumExpTangent, written.query(), written.key(), written.value());
            for (int i = 0; i < actual.size(); i++) {
                double[] values = download(actual.get(i));
                for (int j = 0; j < values.length; j++) {
                    double slope = (around.get(0).get(i)[j]
                                    - 8 * around.get(1).get(i)[j]
                                    + 8 * around.get(2).get(i)[j]
                                    - around.get(3).get(i)[j])
                            / (12 * STEP);
                    assertThat(values[j]).as("result %d, element %d", i, j).isCloseTo(slope, within(1e-9));
                }
            }
            backend.memory().fill(outputTangent, Double.NaN);
            backend.attention().tangent(call, out, tangents, written.ofOutputs());
            assertThat(download(outputTangent)).containsExactly(download(actual.get(0)), within(0.0));
        }
    }
}
