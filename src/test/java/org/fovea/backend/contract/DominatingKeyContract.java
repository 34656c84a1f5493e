// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.Pair;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a query sees one key, however its score changes, the output changes as the key's value does. */
interface DominatingKeyContract extends ContractFixture {

    /** Queries in one tile and in several. */
    @ParameterizedTest
    @ValueSource(ints = {5, 64, 150})
    default void tangentOfTheFirstQuery(int length) {
        int dim = 16;
        int size = length * dim;
        AttentionShape shape = new AttentionShape(1, 1, length, length, dim, dim, AttentionShape.Layout.BHND);
        AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT);
        try (Pair p = pair()) {
            Pair.Both query = p.floats(Pair.normal(size, 1));
            Pair.Both key = p.floats(Pair.normal(size, 2));
            Pair.Both value = p.floats(Pair.normal(size, 3));
            Pair.Both queryTangent = p.floats(
                    Arrays.stream(Pair.normal(size, 4)).map(x -> 1000 * x).toArray());
            Pair.Both keyTangent = p.floats(Pair.normal(size, 5));
            Pair.Both valueTangent = p.floats(Pair.normal(size, 6));
            Pair.Both output = p.output(size);
            Pair.Both logSumExp = p.output(length);
            Pair.Both outputTangent = p.output(size);
            Pair.Both logSumExpTangent = p.output(length);
            p.run(b -> {
                try (Scope scope = b.memory().openScope()) {
                    AttentionCall<DeviceArray> call =
                            AttentionCall.of(shape, causal, query.on(b), key.on(b), value.on(b));
                    AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(output.on(b), logSumExp.on(b))
                            .withState(b.attention(), call, scope::allocate);
                    b.attention().forward(call, out);
                    b.attention()
                            .tangent(
                                    call,
                                    out,
                                    AttentionPlane.inputs(queryTangent.on(b), keyTangent.on(b), valueTangent.on(b)),
                                    AttentionPlane.outputs(outputTangent.on(b), logSumExpTangent.on(b)));
                }
            });
            double[] expected = Arrays.copyOf(valueTangent.expected(), dim);
            assertThat(Arrays.copyOf(outputTangent.actual(), dim)).containsExactly(expected, within(1e-6));
        }
    }
}
