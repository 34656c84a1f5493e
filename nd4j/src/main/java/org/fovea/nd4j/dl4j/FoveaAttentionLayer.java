// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import java.util.Collection;
import java.util.Objects;
import org.deeplearning4j.nn.api.ParamInitializer;
import org.deeplearning4j.nn.conf.InputPreProcessor;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.FeedForwardLayer;
import org.deeplearning4j.nn.conf.layers.InputTypeUtil;
import org.deeplearning4j.nn.conf.memory.LayerMemoryReport;
import org.deeplearning4j.nn.conf.memory.MemoryReport;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.fovea.backend.attention.AttentionShape;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.activations.IActivation;
import org.nd4j.linalg.activations.impl.ActivationIdentity;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Attention over a sequence [batch, nIn, time], by several heads: DL4J's {@code SelfAttentionLayer}, or with {@link
 * Builder#nQueries} its {@code LearnedSelfAttentionLayer}, computed by Fovea without forming the scores. Parameters have the same
 * names, shapes, order and initial values as theirs, so parameters of one can be given to the other.
 *
 * <p>A mask hides time steps from every query. Where it hides all of an example's the output is 0; DL4J's is then the mean of what is
 * hidden. The layer has no activation: what a network sets for all layers does not apply to it.
 */
public final class FoveaAttentionLayer extends FeedForwardLayer {
    private static final long serialVersionUID = 1L;

    private int heads = 1;
    private long headSize;
    private boolean projectInput;
    private int queries;
    private boolean causal;

    /** For deserialisation. */
    private FoveaAttentionLayer() {}

    private FoveaAttentionLayer(Builder builder) {
        super(builder);
        heads = builder.heads;
        headSize = builder.headSize == 0 ? nOut / heads : builder.headSize;
        projectInput = builder.projectInput;
        queries = builder.queries;
        causal = builder.causal;
        activationFn = new ActivationIdentity();
        initializeConstraints(builder);
    }

    /** Number of heads. */
    public int getHeads() {
        return heads;
    }

    /** For deserialisation, as the other setters. */
    public void setHeads(int heads) {
        this.heads = heads;
    }

    /** Length of a head's queries, keys and values, where the input is projected. */
    public long getHeadSize() {
        return headSize;
    }

    public void setHeadSize(long headSize) {
        this.headSize = headSize;
    }

    /** Whether queries, keys, values and outputs are projections, or the input itself. */
    public boolean isProjectInput() {
        return projectInput;
    }

    public void setProjectInput(boolean projectInput) {
        this.projectInput = projectInput;
    }

    /** Number of learned queries, or 0 where the input gives the queries. */
    public int getQueries() {
        return queries;
    }

    public void setQueries(int queries) {
        this.queries = queries;
    }

    /** Whether a time step sees only itself and those before it. */
    public boolean isCausal() {
        return causal;
    }

    public void setCausal(boolean causal) {
        this.causal = causal;
    }

    @Override
    public ParamInitializer initializer() {
        return AttentionParameters.INSTANCE;
    }

    @Override
    public org.deeplearning4j.nn.api.Layer instantiate(
            NeuralNetConfiguration conf,
            Collection<TrainingListener> trainingListeners,
            int layerIndex,
            INDArray layerParamsView,
            boolean initializeParams,
            DataType networkDataType) {
        if (nIn <= 0 || projectInput && nOut <= 0) {
            throw new IllegalStateException(named() + ": nIn is " + nIn + " and nOut " + nOut
                    + ", expected both; set them, or the network's input type by setInputType");
        }
        long dim = projectInput ? headSize : nIn;
        if (dim > AttentionShape.MAX_HEAD_DIM) {
            throw new IllegalStateException(named() + ": a head of size " + dim + " is longer than "
                    + AttentionShape.MAX_HEAD_DIM + ", the most that Fovea computes; use "
                    + (projectInput ? "more heads or a smaller headSize" : "projectInput(true) with more heads"));
        }
        FoveaAttention layer = new FoveaAttention(conf, networkDataType);
        layer.setListeners(trainingListeners);
        layer.setIndex(layerIndex);
        layer.setParamsViewArray(layerParamsView);
        layer.setParamTable(initializer().init(conf, layerParamsView, initializeParams));
        layer.setConf(conf);
        return layer;
    }

    @Override
    public void setNIn(@Nullable InputType inputType, boolean override) {
        if (nIn <= 0 || override) {
            nIn = recurrent(inputType).getSize();
        }
        if (!projectInput) {
            nOut = nIn;
        }
    }

    @Override
    public InputType getOutputType(int layerIndex, @Nullable InputType inputType) {
        long time = recurrent(inputType).getTimeSeriesLength();
        return InputType.recurrent(projectInput ? nOut : nIn, queries == 0 ? time : queries);
    }

    @Override
    public @Nullable InputPreProcessor getPreProcessorForInputType(InputType inputType) {
        return InputTypeUtil.getPreprocessorForInputTypeRnnLayers(inputType, RNNFormat.NCW, getLayerName());
    }

    private InputType.InputTypeRecurrent recurrent(@Nullable InputType inputType) {
        if (inputType instanceof InputType.InputTypeRecurrent recurrent) {
            return recurrent;
        }
        throw new IllegalStateException(
                named() + ": the input is " + inputType + ", expected a sequence, InputType.recurrent(size)");
    }

    private String named() {
        return "FoveaAttentionLayer '" + getLayerName() + "'";
    }

    @Override
    public LayerMemoryReport getMemoryReport(InputType inputType) {
        InputType outputType = getOutputType(-1, inputType);
        long parameters = initializer().numParams(this);
        // Queries, keys, values and outputs of the heads.
        long time = Math.max(1, recurrent(inputType).getTimeSeriesLength());
        long kept = 4 * time * (projectInput ? heads * headSize : nIn);
        return new LayerMemoryReport.Builder(getLayerName(), FoveaAttentionLayer.class, inputType, outputType)
                .standardMemory(parameters, getIUpdater().stateSize(parameters))
                .workingMemory(0, kept, 0, 2 * kept)
                .cacheMemory(MemoryReport.CACHE_MODE_ALL_ZEROS, MemoryReport.CACHE_MODE_ALL_ZEROS)
                .build();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof FoveaAttentionLayer layer
                && super.equals(other)
                && heads == layer.heads
                && headSize == layer.headSize
                && projectInput == layer.projectInput
                && queries == layer.queries
                && causal == layer.causal;
    }

    @Override
    public int hashCode() {
        return Objects.hash(super.hashCode(), heads, headSize, projectInput, queries, causal);
    }

    @Override
    public String toString() {
        return "FoveaAttentionLayer(" + super.toString() + ", heads=" + heads + ", headSize=" + headSize
                + ", projectInput=" + projectInput + ", queries=" + queries + ", causal=" + causal + ")";
    }

    /** Makes layers; its settings are called as those of DL4J's layers. */
    public static final class Builder extends FeedForwardLayer.Builder<Builder> {
        private int heads = 1;
        private long headSize;
        private boolean projectInput;
        private int queries;
        private boolean causal;

        /** Number of heads; more than one only with {@link #projectInput}. */
        public Builder nHeads(int nHeads) {
            heads = nHeads;
            return this;
        }

        /** Length of a head's queries, keys and values; by default nOut / nHeads. */
        public Builder headSize(int headSize) {
            this.headSize = headSize;
            return this;
        }

        /** Whether queries, keys, values and the output are projected. */
        public Builder projectInput(boolean projectInput) {
            this.projectInput = projectInput;
            return this;
        }

        /** So many queries that are learned, in place of those of the input: the output has this many time steps. */
        public Builder nQueries(int nQueries) {
            queries = nQueries;
            return this;
        }

        /** Lets each time step see only itself and those before it. */
        public Builder causal(boolean causal) {
            this.causal = causal;
            return this;
        }

        @Override
        public Builder activation(IActivation activation) {
            if (!(activation instanceof ActivationIdentity)) {
                throw new IllegalArgumentException("a FoveaAttentionLayer has no activation, and " + activation
                        + " was asked for; put an ActivationLayer behind it");
            }
            return this;
        }

        @Override
        @SuppressWarnings("unchecked")
        public FoveaAttentionLayer build() {
            require(heads > 0, "nHeads is " + heads + ", expected 1 or more");
            require(queries >= 0, "nQueries is " + queries + ", expected 0 (the input's) or more");
            require(projectInput || heads == 1, "nHeads is " + heads + ", but several heads need projectInput(true)");
            require(
                    projectInput || nIn == nOut || nOut == 0,
                    "nIn is " + nIn + " and nOut " + nOut + ", which must be equal without projectInput(true)");
            require(!projectInput || nOut > 0, "nOut must be set with projectInput(true)");
            require(
                    headSize > 0 || nOut % heads == 0,
                    "nOut " + nOut + " is no multiple of nHeads " + heads + "; set headSize");
            require(
                    queries == 0 || !causal,
                    "nQueries and causal exclude each other: learned queries have no place in time");
            if (!projectInput) {
                nOut = nIn;
            }
            return new FoveaAttentionLayer(this);
        }

        private static void require(boolean holds, String otherwise) {
            if (!holds) {
                throw new IllegalArgumentException("FoveaAttentionLayer: " + otherwise);
            }
        }
    }
}
