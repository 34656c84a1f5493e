// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.attention.AttentionSpec;
import org.jspecify.annotations.Nullable;

/**
 * Gradients of attention by the textbook, over the numbers of a ring: with P the probabilities, Omega what dropout multiplies
 * them by, and g the slope of the softcap,
 *
 * <pre>
 *   D = dO . O - dLSE;  dP = Omega (dO V^T);  dS = P (dP - D);  dZ = dS g
 *   dV = (P Omega)^T dO;  dBias = dZ;  dSink = -sum exp(sink - LSE) D
 * </pre>
 *
 * and query and key by what the similarity makes of {@code scale dZ}. Where no visible pair is, a gradient is null, for 0.
 */
final class SeriesGradients {
    private final NaiveSeriesAttention attention;
    private final Series.Arithmetic arithmetic;
    private final int headDim;
    private final Series[] dOutput;
    private final Series[] dLogSumExp;
    private final @Nullable Series[] dLeft;
    private final @Nullable Series[] dRight;
    final @Nullable Series[] value;
    final @Nullable Series[] bias;
    final @Nullable Series[] sink;

    /**
     * @param attention whose output is computed
     * @param rows of {@link NaiveSeriesAttention#forward}
     */
    SeriesGradients(
            NaiveSeriesAttention attention,
            List<NaiveSeriesAttention.Row> rows,
            Series[] dOutput,
            Series[] dLogSumExp) {
        this.attention = attention;
        this.dOutput = dOutput;
        this.dLogSumExp = dLogSumExp;
        arithmetic = attention.arithmetic;
        headDim = attention.shape.headDim();
        dLeft = new Series[attention.left.length];
        dRight = new Series[attention.right.length];
        value = new Series[attention.value.length];
        bias = new Series[attention.bias == null ? 0 : attention.bias.length];
        sink = new Series[attention.sink == null ? 0 : attention.sink.length];
        rows.forEach(this::addRow);
    }

    /** {@code sums[at] += x y} */
    private void add(@Nullable Series[] sums, int at, Series x, Series y) {
        Series sum = sums[at];
        if (sum == null) {
            sum = new Series(arithmetic);
            sums[at] = sum;
        }
        sum.addProduct(x, y);
    }

    private void addRow(NaiveSeriesAttention.Row row) {
        int dim = attention.shape.valueDim();
        int o = attention.outputAt(row.b, row.h, row.i);
        // An output that nothing is added to is 0 whatever its gradient, which may be NaN.
        Series d = attention
                .dot(dOutput, o, attention.output, o, row.keys.length == 0 ? 0 : dim)
                .minus(dLogSumExp[attention.rowAt(row.b, row.h, row.i)]);
        for (int n = 0; n < row.keys.length; n++) {
            int j = row.keys[n];
            int v = attention.valueAt(row.b, row.h, j);
            double kept = row.dropout(j);
            Series dP = attention.dot(dOutput, o, attention.value, v, dim).times(kept);
            Series weight = row.probability[n].times(kept).stored();
            for (int c = 0; c < dim; c++) {
                add(value, v + c, weight, dOutput[o + c]);
            }
            Series dS = row.probability[n].times(dP.minus(d));
            addScore(row, j, dS.times(slope(row.capped[n])).stored());
        }
        if (attention.sink != null) {
            add(sink, row.h, row.ofSink.times(-1), d);
        }
    }

    /** Of {@code y = c tanh(z / c)} by z, given y: {@code 1 - (y / c)^2}. */
    private Series slope(Series y) {
        double cap = attention.spec.softcap();
        if (cap == 0) {
            return Series.constant(arithmetic, 1);
        }
        Series tanh = y.times(1 / cap);
        return tanh.times(tanh).times(-1).plus(1);
    }

    private void addScore(NaiveSeriesAttention.Row row, int j, Series dZ) {
        if (attention.bias != null && attention.in.bias() != null) {
            int at = attention.visibility.at(attention.in.bias(), row.b, row.h, row.i, j);
            add(bias, at, dZ, Series.constant(arithmetic, 1));
        }
        Series dSimilarity = dZ.times(attention.spec.scale(headDim));
        int q = attention.queryAt(row.b, row.h, row.i);
        int k = attention.keyAt(row.b, row.h, j);
        for (int d = 0; d < headDim; d++) {
            Series left = attention.left[q + d];
            Series right = attention.right[k + d];
            if (attention.spec.similarity() == AttentionSpec.Similarity.EUCLIDEAN) {
                // Term by term, not by the difference, of which a rounded computation may know less.
                Series twice = dSimilarity.times(2);
                add(dLeft, q + d, twice, right);
                add(dLeft, q + d, twice.times(-1), left);
                add(dRight, k + d, twice, left);
                add(dRight, k + d, twice.times(-1), right);
            } else {
                add(dLeft, q + d, dSimilarity, right);
                add(dRight, k + d, dSimilarity, left);
            }
        }
    }

    @Nullable
    Series[] query() {
        return throughUnit(attention.query, attention.left, dLeft);
    }

    @Nullable
    Series[] key() {
        return throughUnit(attention.key, attention.right, dRight);
    }

    /** For the cosine, from rows y of length 1 to the rows x that they were: {@code dx = (dy - y (y . dy)) / |x|}. */
    private @Nullable Series[] throughUnit(Series[] x, Series[] y, @Nullable Series[] dy) {
        if (attention.spec.similarity() != AttentionSpec.Similarity.COSINE) {
            return dy;
        }
        @Nullable Series[] dx = new Series[x.length];
        for (int at = 0; at < x.length; at += headDim) {
            Series square = attention.dot(x, at, x, at, headDim);
            if (dy[at] == null || square.plane(0) == 0) {
                continue;
            }
            Series[] given = Arrays.copyOfRange(dy, at, at + headDim);
            Series along = attention.dot(y, at, given, 0, headDim);
            Series inverse = square.power(-0.5);
            for (int d = 0; d < headDim; d++) {
                dx[at + d] = given[d].minus(y[at + d].times(along)).times(inverse);
            }
        }
        return dx;
    }
}
