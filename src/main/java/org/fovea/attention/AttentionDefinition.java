package org.fovea.attention;

import java.util.List;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShape.Layout;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.AttentionSpec.Alignment;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The gradient of attention written out in tensor operations, with the score matrix in memory. Differentiating it gives
 * attention's derivatives of second and higher order.
 */
record AttentionDefinition(AttentionShape shape, AttentionSpec spec, AttentionMask mask) {

    /**
     * dQuery, dKey, dValue. With {@code P = softmax(scale Q K^T + mask)}:
     *
     * <pre>
     *   dP = dO V^T;  D_i = sum_j P_ij dP_ij - dLogSumExp_i;  dS = P (dP - D)
     *   dQ = scale dS K;  dK = scale dS^T Q;  dV = P^T dO
     * </pre>
     */
    List<Tensor> gradients(Tensor query, Tensor key, Tensor value, Tensor dOutput, @Nullable Tensor dLogSumExp) {
        Tensor q = headsFirst(query);
        Tensor k = headsFirst(key);
        Tensor v = headsFirst(value);
        Tensor dO = headsFirst(dOutput);
        double scale = spec.scale(shape.headDim());

        Tensor probabilities = probabilities(q, k, scale);
        Tensor dP = dO.matmul(v, false, true);
        Tensor rowSums = probabilities.multiply(dP).sumKeepingAxes(-1);
        if (dLogSumExp != null) {
            rowSums = rowSums.subtract(dLogSumExp.reshape(shape.batch(), shape.heads(), shape.queries(), 1));
        }
        Tensor dS = probabilities.multiply(dP.subtract(rowSums)).multiply(scale);
        return List.of(
                headsFirst(dS.matmul(k)),
                headsFirst(dS.matmul(q, true, false)),
                headsFirst(probabilities.matmul(dO, true, false)));
    }

    private Tensor probabilities(Tensor q, Tensor k, double scale) {
        Tape tape = q.tape();
        Tensor scores = q.matmul(k, false, true).multiply(scale);
        return visible(tape).select(scores, tape.full(Double.NEGATIVE_INFINITY)).softmax();
    }

    /** [batch, heads, rows, dim] from or to [batch, rows, heads, dim]. */
    private Tensor headsFirst(Tensor x) {
        return shape.layout() == Layout.BHND ? x : x.transpose(0, 2, 1, 3);
    }

    /** 1 where a query may see a key, else 0: [batch or 1, 1, queries, keys]. */
    private Tensor visible(Tape tape) {
        Tensor keyPositions = positions(tape, shape.keys()).reshape(1, 1, 1, shape.keys());
        Tensor lengths = mask.keyLengths() == null
                ? tape.full(shape.keys(), 1, 1, 1, 1)
                : floating(mask.keyLengths()).clamp(0, shape.keys()).reshape(shape.batch(), 1, 1, 1);
        Tensor queryPositions = positions(tape, shape.queries()).reshape(1, 1, shape.queries(), 1);
        if (spec.alignment() == Alignment.BOTTOM_RIGHT) {
            queryPositions = queryPositions.add(lengths.subtract(shape.queries()));
        }
        Tensor visible = keyPositions.less(lengths).multiply(tape.full(1, 1, 1, shape.queries(), 1));
        if (spec.windowLeft() != AttentionSpec.UNLIMITED) {
            visible =
                    visible.multiply(queryPositions.subtract(spec.windowLeft()).lessOrEqual(keyPositions));
        }
        if (spec.windowRight() != AttentionSpec.UNLIMITED) {
            visible = visible.multiply(keyPositions.lessOrEqual(queryPositions.add(spec.windowRight())));
        }
        if (mask.querySegments() != null && mask.keySegments() != null) {
            Tensor querySegments = mask.querySegments().reshape(shape.batch(), 1, shape.queries(), 1);
            Tensor keySegments = mask.keySegments().reshape(shape.batch(), 1, 1, shape.keys());
            visible = visible.multiply(querySegments.equalTo(keySegments));
        }
        return visible;
    }

    private static Tensor floating(Tensor integers) {
        return integers.add(0);
    }

    private static Tensor positions(Tape tape, int count) {
        Tensor positions = tape.result(count);
        tape.backend().iota(0, 1, positions.array());
        return positions;
    }
}
