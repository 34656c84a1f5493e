// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import java.util.Map;
import org.deeplearning4j.nn.api.MaskState;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.samediff.SDLayerParams;
import org.deeplearning4j.nn.conf.layers.samediff.SameDiffLayer;
import org.deeplearning4j.nn.weights.WeightInit;
import org.deeplearning4j.nn.weights.WeightInitUtil;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * What DL4J's LearnedSelfAttentionLayer is to compute, by ND4J's own attention. The layer itself fails in 1.0.0-M2.1 ("Op with
 * name scatter_update ... execution failed") where it repeats the queries for every example.
 */
final class LearnedReference extends SameDiffLayer {
    private static final long serialVersionUID = 1L;

    private final long in;
    private final long out;
    private final int heads;
    private final int queries;
    private final boolean projects;

    private static final class Builder extends SameDiffLayer.Builder<Builder> {
        @Override
        @SuppressWarnings("unchecked")
        public LearnedReference build() {
            throw new UnsupportedOperationException();
        }
    }

    LearnedReference(long in, long out, int heads, int queries, boolean projects) {
        super(new Builder());
        this.in = in;
        this.out = out;
        this.heads = heads;
        this.queries = queries;
        this.projects = projects;
        weightInit = WeightInit.XAVIER;
    }

    @Override
    public InputType getOutputType(int layerIndex, InputType inputType) {
        return InputType.recurrent(out, queries);
    }

    @Override
    public void defineParameters(SDLayerParams params) {
        params.clear();
        params.addWeightParam("Q", 1, in, queries);
        if (projects) {
            for (String name : new String[] {"Wq", "Wk", "Wv"}) {
                params.addWeightParam(name, heads, out / heads, in);
            }
            params.addWeightParam("Wo", out, out);
        }
    }

    @Override
    public void initializeParameters(Map<String, INDArray> params) {
        params.forEach((name, array) -> {
            double fanIn = name.equals("Q") || name.equals("Wo") ? in : out;
            double fanOut = name.equals("Q") ? queries : name.equals("Wo") ? out / heads : out;
            WeightInitUtil.initWeights(fanIn, fanOut, array.shape(), weightInit, null, 'c', array);
        });
    }

    @Override
    public SDVariable defineLayer(SameDiff graph, SDVariable input, Map<String, SDVariable> params, SDVariable mask) {
        SDVariable ones = graph.onesLike(input.mean(true, 1, 2));
        SDVariable repeated = ones.mul(params.get("Q"));
        return projects
                ? graph.nn.multiHeadDotProductAttention(
                        getLayerName(),
                        repeated,
                        input,
                        input,
                        params.get("Wq"),
                        params.get("Wk"),
                        params.get("Wv"),
                        params.get("Wo"),
                        mask,
                        true)
                : graph.nn.dotProductAttention(getLayerName(), repeated, input, input, mask, true);
    }

    @Override
    public Pair<INDArray, MaskState> feedForwardMaskArray(INDArray mask, MaskState state, int batch) {
        return null;
    }
}
