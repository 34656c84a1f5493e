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
 * The gradient of attention's gradient written out in tensor operations, with the score matrix in memory. Differentiating it
 * gives attention's derivatives of third and higher order.
 */
record AttentionDefinition(AttentionShape shape, AttentionSpec spec, AttentionMask mask) {

    /**
     * What the double backward gives: the gradients for dOutput, logSumExp's gradient, query, key and value, given those of
     * dQuery, dKey and dValue. These are the tangents of output, logSumExp, dQuery, dKey and dValue when query, key and value
     * move along the given gradients. A dot marks a tangent:
     *
     * <pre>
     *   P = softmax(scale Q K^T + mask);  T = scale (Q. K^T + Q K.^T);  r_i = sum_j P_ij T_ij;  P. = P (T - r)
     *   O. = P. V + P V.;  logSumExp. = r
     *   dP = dO V^T;  dP. = dO V.^T;  D_i = sum_j P_ij dP_ij - dLogSumExp_i;  D._i = sum_j (P._ij dP_ij + P_ij dP._ij)
     *   dS = scale P (dP - D);  dS. = scale (P. (dP - D) + P (dP. - D.))
     *   dQ. = dS. K + dS K.;  dK. = dS.^T Q + dS^T Q.;  dV. = P.^T dO
     * </pre>
     */
    List<Tensor> doubleBackward(
            Tensor query,
            Tensor key,
            Tensor value,
            Tensor dOutput,
            @Nullable Tensor dLogSumExp,
            Tensor queryTangent,
            Tensor keyTangent,
            Tensor valueTangent) {
        Tensor q = headsFirst(query);
        Tensor k = headsFirst(key);
        Tensor v = headsFirst(value);
        Tensor dO = headsFirst(dOutput);
        Tensor qDot = headsFirst(queryTangent);
        Tensor kDot = headsFirst(keyTangent);
        Tensor vDot = headsFirst(valueTangent);
        double scale = spec.scale(shape.headDim());

        Tensor p = probabilities(q, k, scale);
        Tensor t = qDot.matmul(k, false, true).add(q.matmul(kDot, false, true)).multiply(scale);
        Tensor r = p.multiply(t).sumKeepingAxes(-1);
        Tensor pDot = p.multiply(t.subtract(r));
        Tensor outputDot = pDot.matmul(v).add(p.matmul(vDot));

        Tensor dP = dO.matmul(v, false, true);
        Tensor dPDot = dO.matmul(vDot, false, true);
        Tensor along = p.multiply(dP).sumKeepingAxes(-1);
        if (dLogSumExp != null) {
            along = along.subtract(dLogSumExp.reshape(shape.batch(), shape.heads(), shape.queries(), 1));
        }
        Tensor alongDot = pDot.multiply(dP).add(p.multiply(dPDot)).sumKeepingAxes(-1);
        Tensor centred = dP.subtract(along);
        Tensor dS = p.multiply(centred).multiply(scale);
        Tensor dSDot =
                pDot.multiply(centred).add(p.multiply(dPDot.subtract(alongDot))).multiply(scale);
        return List.of(
                headsFirst(outputDot),
                r.reshape(shape.batch(), shape.heads(), shape.queries()),
                headsFirst(dSDot.matmul(k).add(dS.matmul(kDot))),
                headsFirst(dSDot.matmul(q, true, false).add(dS.matmul(qDot, true, false))),
                headsFirst(pDot.matmul(dO, true, false)));
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
