// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.Objects;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;

/** Attention by plain loops in float64 over single numbers of INDArrays: what the tests compare with. */
final class NaiveAttention {
    final double[][][][] output;
    final double[][][] logSumExp;

    NaiveAttention(AttentionCall<INDArray> call) {
        AttentionShape s = call.shape();
        output = new double[s.batch()][s.heads()][s.queries()][s.valueDim()];
        logSumExp = new double[s.batch()][s.heads()][s.queries()];
        for (int b = 0; b < s.batch(); b++) {
            for (int h = 0; h < s.heads(); h++) {
                for (int i = 0; i < s.queries(); i++) {
                    row(call, b, h, i);
                }
            }
        }
    }

    private void row(AttentionCall<INDArray> call, int b, int h, int i) {
        AttentionShape s = call.shape();
        int group = s.heads() / s.keyHeads();
        double[] scores = new double[s.keys()];
        double sum = call.sink() == null ? 0 : Math.exp(call.sink().getDouble(h));
        for (int j = 0; j < s.keys(); j++) {
            scores[j] = isVisible(call, b, i, j) ? score(call, b, h, i, j) : Double.NEGATIVE_INFINITY;
            sum += Math.exp(scores[j]);
        }
        logSumExp[b][h][i] = sum == 0 ? Double.POSITIVE_INFINITY : Math.log(sum);
        for (int j = 0; j < s.keys(); j++) {
            double p = sum == 0 ? 0 : Math.exp(scores[j]) / sum * call.spec().dropoutFactor(b * s.heads() + h, i, j);
            for (int d = 0; p != 0 && d < s.valueDim(); d++) {
                output[b][h][i][d] += p * number(call.value(), s.layout(), b, h / group, j, d);
            }
        }
    }

    private static double score(AttentionCall<INDArray> call, int b, int h, int i, int j) {
        AttentionShape s = call.shape();
        AttentionSpec spec = call.spec();
        int kh = h / (s.heads() / s.keyHeads());
        double dot = 0;
        double qq = 0;
        double kk = 0;
        for (int d = 0; d < s.headDim(); d++) {
            double q = number(call.query(), s.layout(), b, h, i, d);
            double k = number(call.key(), s.layout(), b, kh, j, d);
            dot += q * k;
            qq += q * q;
            kk += k * k;
        }
        double similarity = switch (spec.similarity()) {
            case DOT -> dot;
            case COSINE -> dot / Math.sqrt(qq * kk);
            case EUCLIDEAN -> 2 * dot - qq - kk;
        };
        double z = spec.scale(s.headDim()) * similarity + term(call.bias(), b, h, i, j, j - position(call, b, i));
        if (spec.softcap() != 0) {
            z = spec.softcap() * Math.tanh(z / spec.softcap());
        }
        z += term(call.mask().scores(), b, h, i, j, 0);
        INDArray slopes = call.mask().alibiSlopes();
        return slopes == null ? z : z - slopes.getDouble(h) * Math.abs(position(call, b, i) - j);
    }

    private static double term(@Nullable ScoreBias<INDArray> bias, int b, int h, int i, int j, int relative) {
        if (bias == null) {
            return 0;
        }
        int batch = bias.batch() == 1 ? 0 : b;
        int head = bias.heads() == 1 ? 0 : h;
        if (bias.isRelative()) {
            int reach = bias.reach();
            return bias.array().getDouble(batch, head, reach + Math.max(-reach, Math.min(reach, relative)));
        }
        return bias.array().getDouble(batch, head, bias.queries() == 1 ? 0 : i, bias.keys() == 1 ? 0 : j);
    }

    private static int position(AttentionCall<INDArray> call, int b, int i) {
        AttentionShape s = call.shape();
        INDArray lengths = call.mask().keyLengths();
        int keys = lengths == null ? s.keys() : lengths.getInt(b);
        return i + call.spec().firstQueryPosition(s.queries(), keys);
    }

    private static boolean isVisible(AttentionCall<INDArray> call, int b, int i, int j) {
        AttentionMask<INDArray> mask = call.mask();
        AttentionSpec spec = call.spec();
        if (mask.keyLengths() != null && j >= mask.keyLengths().getInt(b)) {
            return false;
        }
        if (mask.querySegments() != null
                && mask.querySegments().getInt(b, i)
                        != Objects.requireNonNull(mask.keySegments()).getInt(b, j)) {
            return false;
        }
        if (mask.querySequences() != null
                && sequence(mask.querySequences(), i) != sequence(Objects.requireNonNull(mask.keySequences()), j)) {
            return false;
        }
        int ahead = j - position(call, b, i);
        return (spec.windowRight() == AttentionSpec.UNLIMITED || ahead <= spec.windowRight())
                && (spec.windowLeft() == AttentionSpec.UNLIMITED || -ahead <= spec.windowLeft());
    }

    private static int sequence(INDArray starts, int row) {
        int sequence = 0;
        while (sequence + 1 < starts.length() - 1 && starts.getInt(sequence + 1) <= row) {
            sequence++;
        }
        return sequence;
    }

    /** One number of an array, with or without an axis of heads. */
    static double number(INDArray array, Layout layout, int b, int h, int row, int d) {
        if (array.rank() == 3) {
            return array.getDouble(b, row, d);
        }
        return layout == Layout.BHND ? array.getDouble(b, h, row, d) : array.getDouble(b, row, h, d);
    }
}
