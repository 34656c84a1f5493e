// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Attention that is not plain, and its derivatives, in captured steps. */
interface AttentionStepContract extends ContractFixture {

    /** Every operation, on numbers that change from step to step. */
    final class Everything implements AutoCloseable {
        private static final AttentionShape SHAPE = new AttentionShape(2, 4, 2, 5, 7, 3, 2, AttentionShape.Layout.BNHD);
        private static final int LENGTH = 3000;

        private final Backend b;
        private final AttentionSpec spec;
        private final DeviceArray given;
        private final DeviceArray found;
        private int givenAt;
        private int foundAt;
        private @Nullable DeviceArray mask;

        Everything(Backend b, AttentionSpec spec) {
            this.b = b;
            this.spec = spec;
            given = b.memory().allocate(b.memory().floatType(), LENGTH);
            found = b.memory().allocate(b.memory().floatType(), LENGTH);
            b.memory().fill(found, -1);
        }

        /** At last with a mask that takes all digits from scores. */
        void prepare(int step) {
            b.math().uniform(new RandomRange(1, 2, (long) step * LENGTH), given);
            if (step == 2) {
                b.memory().fill(Objects.requireNonNull(mask), -Float.MAX_VALUE);
            }
        }

        private DeviceArray given(long length) {
            givenAt += (int) length;
            return given.slice(givenAt - length, length);
        }

        private DeviceArray found(long length) {
            foundAt += (int) length;
            return found.slice(foundAt - length, length);
        }

        private AttentionPlane<DeviceArray> planeGiven() {
            return new AttentionPlane<>(
                    given(SHAPE.querySize()),
                    given(SHAPE.keySize()),
                    given(SHAPE.valueSize()),
                    given((long) SHAPE.heads() * SHAPE.queries() * SHAPE.keys()),
                    given(SHAPE.heads()),
                    given(SHAPE.outputSize()),
                    given(SHAPE.logSumExpSize()));
        }

        private AttentionPlane<DeviceArray> planeFound() {
            return new AttentionPlane<>(
                    found(SHAPE.querySize()),
                    found(SHAPE.keySize()),
                    found(SHAPE.valueSize()),
                    found((long) SHAPE.heads() * SHAPE.queries() * SHAPE.keys()),
                    found(SHAPE.heads()),
                    found(SHAPE.outputSize()),
                    found(SHAPE.logSumExpSize()));
        }

        /** The body of a captured step. */
        void step() {
            try (Scope scope = b.memory().openScope()) {
                step(scope);
            }
        }

        private void step(Scope scope) {
            givenAt = 0;
            foundAt = 0;
            AttentionPlane<DeviceArray> x = planeGiven();
            mask = given((long) SHAPE.batch() * SHAPE.keys());
            AttentionCall<DeviceArray> call = AttentionCall.of(SHAPE, spec, x.query(), x.key(), x.value())
                    .withBias(new ScoreBias<>(x.bias(), 1, SHAPE.heads(), SHAPE.queries(), SHAPE.keys()))
                    .withSink(x.sink())
                    .withMask(AttentionMask.<DeviceArray>none()
                            .withScores(new ScoreBias<>(mask, SHAPE.batch(), 1, 1, SHAPE.keys()))
                            .withAlibi(given(SHAPE.heads())));
            AttentionPlane<DeviceArray> tangents = planeGiven();
            AttentionPlane<DeviceArray> value = planeFound();
            AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(value.output(), value.logSumExp())
                    .withState(b.attention(), call, scope::allocate);
            b.attention().forward(call, out);
            b.attention().backward(call, out, x, value);
            AttentionPlane<DeviceArray> derivative = planeFound();
            b.attention().backwardTangent(call, out, x, tangents, derivative);
            List<AttentionPlane<DeviceArray>> arguments = new ArrayList<>();
            List<AttentionPlane<DeviceArray>> results = new ArrayList<>();
            for (int plane = 0; plane < 3; plane++) {
                arguments.add(plane == 0 ? x : plane == 1 ? tangents : planeGiven());
                results.add(planeFound());
            }
            b.attention().series(call, SeriesRing.taylor(2), arguments, results);
            DeviceArray weights = found((long) SHAPE.batch() * SHAPE.heads() * 2 * SHAPE.keys());
            b.attention().weights(call, out, ScoreStage.SOFTMAX, 1, weights);
        }

        double[] results() {
            double[] values = new double[LENGTH];
            b.memory().download(found, values, 0);
            return values;
        }

        @Override
        public void close() {
            given.release();
            found.release();
        }
    }

    @Test
    default void replaysOfGeneralAttentionEqualEagerSteps() {
        AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT);
        for (AttentionSpec spec : List.of(
                causal.withSimilarity(Similarity.COSINE),
                causal.withSimilarity(Similarity.EUCLIDEAN).withSoftcap(2),
                AttentionSpec.DEFAULT.withDropout(0.3, 5))) {
            try (Everything eager = new Everything(tested(), spec);
                    Everything captured = new Everything(tested(), spec);
                    CapturedStep step = tested().capture(captured::step)) {
                assertThat(captured.results()).as("capturing runs nothing").containsOnly(-1);
                double[] before = eager.results();
                for (int i = 0; i < 3; i++) {
                    eager.prepare(i);
                    eager.step();
                    captured.prepare(i);
                    step.replay();
                    assertThat(captured.results()).as("%s, step %d", spec, i).isEqualTo(eager.results());
                    assertThat(captured.results()).isNotEqualTo(before).doesNotContain(Double.NaN);
                    before = captured.results();
                }
            }
        }
    }
}
