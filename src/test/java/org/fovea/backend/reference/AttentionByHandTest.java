// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** One query and four keys, of which two are hidden, worked out by hand. */
class AttentionByHandTest {
    private static final AttentionShape SHAPE = new AttentionShape(1, 1, 1, 4, 1, 1, AttentionShape.Layout.BHND);

    private final ReferenceBackend b = new ReferenceBackend();

    @AfterEach
    void close() {
        b.close();
    }

    private DeviceArray array(double... values) {
        DeviceArray array = b.memory().allocate(DType.F64, values.length);
        b.memory().upload(values, 0, array);
        return array;
    }

    /** Bias inside the softcap, mask and ALiBi outside, a sink with neither; key 1 is masked, key 3 padding. */
    private void check(AttentionSpec spec, double first, double third, boolean withSink) {
        DeviceArray length = b.memory().allocate(DType.I32, 1);
        b.memory().upload(new int[] {3}, 0, length);
        double hidden = Double.NaN;
        AttentionCall<DeviceArray> call = AttentionCall.of(
                        SHAPE, spec, array(2), array(1, hidden, -1, hidden), array(10, hidden, 30, hidden))
                .withBias(new ScoreBias<>(array(0.1, hidden, 0.3, hidden), 1, 1, 1, 4))
                .withSink(withSink ? array(0.3) : null)
                .withMask(AttentionMask.keyLengths(length)
                        .withScores(new ScoreBias<>(array(0.5, Double.NEGATIVE_INFINITY, 0, hidden), 1, 1, 1, 4))
                        .withAlibi(array(0.25)));
        DeviceArray output = array(0);
        DeviceArray logSumExp = array(0);
        b.attention().forward(call, new AttentionOutputs<>(output, logSumExp));
        double[] result = new double[2];
        b.memory().download(output, result, 0);
        b.memory().download(logSumExp, result, 1);
        double left = Math.exp(first);
        double right = Math.exp(third);
        double sum = left + right + (withSink ? Math.exp(0.3) : 0);
        double keptLeft = spec.dropoutFactor(0, 0, 0);
        double keptRight = spec.dropoutFactor(0, 0, 2);
        assertThat(result[0]).isCloseTo((left * 10 * keptLeft + right * 30 * keptRight) / sum, within(1e-13));
        assertThat(result[1]).isCloseTo(Math.log(sum), within(1e-13));
    }

    @Test
    void byHand() {
        // Query 0 stands at position 1, or as the last of three keys at 2.
        AttentionSpec spec = AttentionSpec.DEFAULT.withScale(0.5).withPastKeys(1);
        check(spec, 1.1 + 0.5 - 0.25, -0.7 - 0.25, false);
        check(spec, 1.1 + 0.5 - 0.25, -0.7 - 0.25, true);
        check(spec.withAlignment(AttentionSpec.Alignment.BOTTOM_RIGHT), 1.1 + 0.5 - 0.5, -0.7, true);
        check(spec.withSoftcap(2), 2 * Math.tanh(1.1 / 2) + 0.5 - 0.25, 2 * Math.tanh(-0.7 / 2) - 0.25, true);
        check(spec.withSimilarity(Similarity.COSINE), 0.6 + 0.25, -0.2 - 0.25, true);
        check(spec.withSimilarity(Similarity.EUCLIDEAN), -0.4 + 0.25, -4.2 - 0.25, true);
        check(spec.withDropout(0.5, 3), 1.1 + 0.25, -0.95, true);
        check(spec.withDropout(0.5, 4), 1.1 + 0.25, -0.95, false);
    }
}
