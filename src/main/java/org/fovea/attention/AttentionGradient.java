package org.fovea.attention;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.OutputGradients;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.tensor.Gradients;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

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
 */
final class AttentionGradient {
    private final AttentionCall call;
    private final TensorPlane point;
    private final List<TensorPlane> directions;
    private final TensorPlane results;

    private AttentionGradient(
            AttentionCall call, TensorPlane point, List<TensorPlane> directions, TensorPlane results) {
        this.call = call;
        this.point = point;
        this.directions = directions;
        this.results = results;
    }

    /** The backward of an attention that {@code call} made: adds its gradients. */
    static void backward(AttentionCall call, Gradients g) {
        Tape tape = call.output().tape();
        Tensor dOutput = g.ofOrNull(call.output());
        Tensor dLogSumExp = g.ofOrNull(call.logSumExp());
        TensorPlane point = new TensorPlane(
                call.operands(), dOutput == null ? tape.zeros(call.output().shape()) : dOutput, dLogSumExp);
        TensorPlane results = point.ofInputs().results(x -> g.wants(x) || call.isRow(x));
        tape.backend()
                .attention()
                .backward(
                        call.shape(),
                        call.spec(),
                        call.inputs(),
                        call.outputs(),
                        point.dOutput().array(),
                        dLogSumExp == null ? null : dLogSumExp.array(),
                        results.arguments());
        new AttentionGradient(call, point, List.of(), results).record(tape);
        results.addTo(point, g);
    }

    private void record(Tape tape) {
        List<Tensor> inputs = new ArrayList<>(point.present());
        directions.forEach(direction -> inputs.addAll(direction.present()));
        tape.record(inputs, results.present(), this::differentiate);
    }

    private void differentiate(Gradients g) {
        TensorPlane direction = results.gradients(g);
        if (directions.isEmpty()) {
            tangent(direction.withRows(point), g);
        } else {
            series(direction, g);
        }
    }

    /** One direction, that is the double backward. */
    private void tangent(TensorPlane direction, Gradients g) {
        Tape tape = call.output().tape();
        Tensor outputTangent = tape.result(call.output().shape());
        Tensor logSumExpTangent = tape.result(call.logSumExp().shape());
        TensorPlane inputs = point.ofInputs().results(x -> g.wants(x) || call.isRow(x));
        Tensor dLogSumExp = point.dLogSumExp();
        tape.backend()
                .attention()
                .backwardTangent(
                        call.shape(),
                        call.spec(),
                        call.inputs(),
                        direction.arguments(),
                        call.outputs(),
                        new OutputGradients(
                                point.dOutput().array(), dLogSumExp == null ? null : dLogSumExp.array(), null, null),
                        outputTangent.array(),
                        logSumExpTangent.array(),
                        inputs.arguments());
        TensorPlane along = inputs.with(outputTangent, dLogSumExp == null ? null : logSumExpTangent);
        new AttentionGradient(call, point, List.of(direction), along).record(tape);
        along.addTo(point, g);
    }

    private void series(TensorPlane direction, Gradients g) {
        Tape tape = call.output().tape();
        int order = directions.size() + 1;
        SeriesRing ring = SeriesRing.infinitesimals(order);
        List<AttentionPlane> arguments = new ArrayList<>(Collections.nCopies(ring.planes(), AttentionPlane.NONE));
        List<AttentionPlane> wanted = new ArrayList<>(arguments);
        arguments.set(0, point.ofOutputs().arrays());
        arguments.set(1 << (order - 1), direction.arrays());

        int all = ring.planes() - 1;
        TensorPlane forPoint = point.results(g::wants);
        wanted.set(all, forPoint.arrays());
        List<TensorPlane> forDirections = new ArrayList<>();
        for (int i = 0; i < directions.size(); i++) {
            arguments.set(1 << i, directions.get(i).arrays());
            forDirections.add(directions.get(i).results(g::wants));
            wanted.set(all ^ 1 << i, forDirections.get(i).arrays());
        }
        tape.backend().attention().series(call.shape(), call.spec(), call.inputs(), ring, arguments, wanted);

        List<TensorPlane> extended = new ArrayList<>(directions);
        extended.add(direction);
        new AttentionGradient(call, point, extended, forPoint).record(tape);
        forPoint.addTo(point, g);
        for (int i = 0; i < directions.size(); i++) {
            List<TensorPlane> replaced = new ArrayList<>(directions);
            replaced.set(i, direction);
            new AttentionGradient(call, point, replaced, forDirections.get(i)).record(tape);
            forDirections.get(i).addTo(directions.get(i), g);
        }
    }
}
