// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** The five lines of README.md and docs/nd4j.md, which DocumentationTest runs. */
final class ReadmeExample {

    private ReadmeExample() {}

    static INDArray[] run() {
        INDArray query = Nd4j.randn(DataType.FLOAT, 8, 4, 128, 64); // [batch, heads, rows, dim]
        INDArray key = Nd4j.randn(DataType.FLOAT, 8, 4, 128, 64);
        INDArray value = Nd4j.randn(DataType.FLOAT, 8, 4, 128, 64);
        INDArray output =
                FusedAttention.forward(query, key, value, AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT));
        INDArray dQuery = FusedAttention.backward(query, key, value, AttentionSpec.DEFAULT, output)
                .query();
        return new INDArray[] {output, dQuery};
    }
}
