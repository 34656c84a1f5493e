// SPDX-License-Identifier: Apache-2.0
package org.fovea.attention;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Gradients;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Attention's gradient and every derivative of it, as one family of operations that is closed under differentiation.
 *
 * <p>Let {@code phi(x) = dO . O + dLSE . logSumExp} be a function of {@code x}, all of query, key, value, bias, sink, dO and
 * dLSE. The operation of order n is the gradient of phi, differentiated along n directions:
 *
 * <pre>
 *   G(x; u1 ... un) = d/ds1 ... d/dsn grad phi(x + s1 u1 + ... + sn un) at s = 0
 * </pre>
 *
 * <p>G of no direction is attention's backward. Derivatives commute, so the gradient of {@code w . G(x; u1 ... un)} for x is
 * {@code G(x; u1 ... un, w)}, and for {@code ui} it is G with w in place of ui. All of these are coefficients of one series in
 * n + 1 infinitesimals ({@link SeriesRing}), which the backend computes without a matrix of scores.
 *
 * <p>x, the directions and what is computed are planes of tensors.
 */
final class AttentionGradient {

    /** An attention that was computed: what was asked, and what came out. */
    record Point(AttentionCall<Tensor> call, Attention.Result result, AttentionOutputs<DeviceArray> outputs) {
        Tape tape() {
            return result.output().tape();
        }

        AttentionCall<DeviceArray> arrays() {
            return call.map(Tensor::array);
        }

        /** Whether this is the query, key or value, whose gradients are always computed together. */
        boolean isRow(Tensor x) {
            return x == call.query() || x == call.key() || x == call.value();
        }
    }

    private final Point at;
    private final AttentionPlane<Tensor> point;
    private final List<AttentionPlane<Tensor>> directions;
    private final AttentionPlane<Tensor> results;

    private AttentionGradient(
            Point at,
            AttentionPlane<Tensor> point,
            List<AttentionPlane<Tensor>> directions,
            AttentionPlane<Tensor> results) {
        this.at = at;
        this.point = point;
        this.directions = directions;
        this.results = results;
    }

    /** The backward of an attention: adds its gradients. */
    static void backward(Point at, Gradients g) {
        Tape tape = at.tape();
        Tensor output = at.result.output();
        Tensor dOutput = g.ofOrNull(output);
        AttentionPlane<Tensor> point = at.call
                .inputs()
                .withOutputs(dOutput == null ? tape.zeros(output.shape()) : dOutput, g.ofOrNull(at.result.logSumExp()));
        AttentionPlane<Tensor> results = results(point.ofInputs(), x -> g.wants(x) || at.isRow(x));
        tape.backend().attention().backward(at.arrays(), at.outputs, arrays(point.ofOutputs()), arrays(results));
        new AttentionGradient(at, point, List.of(), results).record(tape);
        add(results, point, g);
    }

    private void record(Tape tape) {
        List<Tensor> inputs = new ArrayList<>(point.present());
        directions.forEach(direction -> inputs.addAll(direction.present()));
        tape.record(inputs, results.present(), this::differentiate);
    }

    private void differentiate(Gradients g) {
        AttentionPlane<Tensor> direction = results.map(g::ofOrNull);
        if (directions.isEmpty()) {
            AttentionCall<Tensor> call = at.call;
            tangent(
                    direction.withRows(
                            orZeros(direction.query(), call.query()),
                            orZeros(direction.key(), call.key()),
                            orZeros(direction.value(), call.value())),
                    g);
        } else {
            series(direction, g);
        }
    }

    /** One direction, that is the double backward. */
    private void tangent(AttentionPlane<Tensor> direction, Gradients g) {
        Tape tape = at.tape();
        Tensor outputTangent = tape.result(at.result.output().shape());
        Tensor logSumExpTangent = tape.result(at.result.logSumExp().shape());
        AttentionPlane<Tensor> inputs = results(point.ofInputs(), x -> g.wants(x) || at.isRow(x));
        tape.backend()
                .attention()
                .backwardTangent(
                        at.arrays(),
                        at.outputs,
                        arrays(point.ofOutputs()),
                        arrays(direction.ofInputs()),
                        arrays(inputs.withOutputs(outputTangent, logSumExpTangent)));
        AttentionPlane<Tensor> along =
                inputs.withOutputs(outputTangent, point.logSumExp() == null ? null : logSumExpTangent);
        new AttentionGradient(at, point, List.of(direction), along).record(tape);
        add(along, point, g);
    }

    private void series(AttentionPlane<Tensor> direction, Gradients g) {
        Tape tape = at.tape();
        int order = directions.size() + 1;
        SeriesRing ring = SeriesRing.infinitesimals(order);
        List<AttentionPlane<DeviceArray>> arguments =
                new ArrayList<>(Collections.nCopies(ring.planes(), AttentionPlane.none()));
        List<AttentionPlane<DeviceArray>> wanted = new ArrayList<>(arguments);
        arguments.set(0, arrays(point.ofOutputs()));
        arguments.set(1 << (order - 1), arrays(direction));

        int all = ring.planes() - 1;
        AttentionPlane<Tensor> forPoint = results(point, g::wants);
        wanted.set(all, arrays(forPoint));
        List<AttentionPlane<Tensor>> forDirections = new ArrayList<>();
        for (int i = 0; i < directions.size(); i++) {
            arguments.set(1 << i, arrays(directions.get(i)));
            forDirections.add(results(directions.get(i), g::wants));
            wanted.set(all ^ 1 << i, arrays(forDirections.get(i)));
        }
        tape.backend().attention().series(at.arrays(), ring, arguments, wanted);

        List<AttentionPlane<Tensor>> extended = new ArrayList<>(directions);
        extended.add(direction);
        new AttentionGradient(at, point, extended, forPoint).record(tape);
        add(forPoint, point, g);
        for (int i = 0; i < directions.size(); i++) {
            List<AttentionPlane<Tensor>> replaced = new ArrayList<>(directions);
            replaced.set(i, direction);
            new AttentionGradient(at, point, replaced, forDirections.get(i)).record(tape);
            add(forDirections.get(i), directions.get(i), g);
        }
    }

    /** Where {@code plane} has a tensor of which {@code wanted} holds, a new one of its shape with unspecified contents. */
    private static AttentionPlane<Tensor> results(AttentionPlane<Tensor> plane, Predicate<Tensor> wanted) {
        return plane.map(x -> wanted.test(x) ? x.tape().result(x.shape()) : null);
    }

    private static AttentionPlane<DeviceArray> arrays(AttentionPlane<Tensor> plane) {
        return plane.map(Tensor::array);
    }

    private static Tensor orZeros(@Nullable Tensor x, Tensor like) {
        return x == null ? like.tape().zeros(like.shape()) : x;
    }

    /** Adds a plane, part by part, to the gradients of another. */
    private static void add(AttentionPlane<Tensor> plane, AttentionPlane<Tensor> to, Gradients g) {
        List<@Nullable Tensor> parts = plane.parts();
        for (int i = 0; i < parts.size(); i++) {
            Tensor part = parts.get(i);
            if (part != null) {
                g.add(Objects.requireNonNull(to.parts().get(i)), part);
            }
        }
    }
}
