// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import static java.util.Objects.requireNonNull;

import java.util.Arrays;
import org.deeplearning4j.exception.DL4JInvalidInputException;
import org.deeplearning4j.nn.api.MaskState;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.layers.BaseLayer;
import org.deeplearning4j.nn.workspace.ArrayType;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.nd4j.AttentionEngine;
import org.fovea.nd4j.AttentionPass;
import org.fovea.nd4j.FusedAttention;
import org.jspecify.annotations.Nullable;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A {@link FoveaAttentionLayer} in a network. Projections are matrix products of ND4J's, over all time steps of the batch at once:
 * rows of features, [batch * time, features] in row-major order, which is also how the fused attention reads and writes them.
 *
 * <p>Between the forward and the backward pass queries, keys, values and the heads' outputs are kept by Fovea, and not in a
 * workspace of DL4J's. As any of DL4J's layers it is not to be used by several threads at once.
 */
final class FoveaAttention extends BaseLayer<FoveaAttentionLayer> {
    private static final long serialVersionUID = 1L;

    /** Of the input that it is kept for. */
    private transient @Nullable AttentionPass pass;

    private transient @Nullable INDArray passInput;

    FoveaAttention(NeuralNetConfiguration conf, DataType dataType) {
        super(conf, dataType);
    }

    @Override
    public INDArray activate(boolean training, LayerWorkspaceMgr workspaceMgr) {
        assertInputSet(false);
        applyDropOutIfNecessary(training, workspaceMgr);
        FoveaAttentionLayer conf = layerConf();
        INDArray rows = rows(checkedInput());
        AttentionCall<INDArray> call = call(rows, training, workspaceMgr);
        int batch = call.shape().batch();
        int time = call.shape().queries();
        INDArray heads;
        if (!conf.isProjectInput()) {
            heads = workspaceMgr.createUninitialized(ArrayType.ACTIVATIONS, dataType, batch, time, conf.getNIn());
        } else {
            heads = Nd4j.createUninitialized(
                    dataType, new long[] {batch, time, conf.getHeads(), conf.getHeadSize()}, 'c');
        }
        forward(call, heads, training);
        if (!conf.isProjectInput()) {
            return heads.permute(0, 2, 1);
        }
        INDArray output =
                workspaceMgr.createUninitialized(ArrayType.ACTIVATIONS, dataType, (long) batch * time, conf.getNOut());
        product(
                heads.reshape((long) batch * time, -1),
                weight(AttentionParameters.OUTPUT, training, workspaceMgr),
                output);
        return output.reshape(batch, time, conf.getNOut()).permute(0, 2, 1);
    }

    private void forward(AttentionCall<INDArray> call, INDArray heads, boolean training) {
        AttentionPlane<INDArray> outputs = AttentionPlane.outputs(heads, null);
        closePass();
        if (training) {
            pass = AttentionEngine.shared().pass(call, outputs);
            passInput = input;
        } else {
            AttentionEngine.shared().forward(call, outputs);
        }
    }

    @Override
    public Pair<Gradient, INDArray> backpropGradient(INDArray epsilon, LayerWorkspaceMgr workspaceMgr) {
        assertInputSet(true);
        applyDropOutIfNecessary(true, workspaceMgr);
        FoveaAttentionLayer conf = layerConf();
        INDArray rows = rows(checkedInput());
        if (pass == null || passInput != input) {
            closePass();
            pass = AttentionEngine.shared().pass(call(rows, true, workspaceMgr));
        }
        AttentionPass known = pass;
        Gradient gradients = new DefaultGradient();
        INDArray dInput =
                workspaceMgr.createUninitialized(ArrayType.ACTIVATION_GRAD, dataType, rows.size(0), rows.size(1));
        INDArray dRows = rows(epsilon);
        INDArray dHeads = dRows;
        if (conf.isProjectInput()) {
            INDArray weight = weight(AttentionParameters.OUTPUT, true, workspaceMgr);
            INDArray heads = requireNonNull(known.outputs().output());
            gradient(gradients, AttentionParameters.OUTPUT, heads.reshape(dRows.size(0), -1), dRows);
            dHeads = product(dRows, weight.transpose());
        }
        long batch = epsilon.size(0);
        long time = epsilon.size(2);
        long dim = conf.isProjectInput() ? conf.getHeadSize() : conf.getNIn();
        AttentionPlane<INDArray> d =
                known.backward(AttentionPlane.outputs(dHeads.reshape(batch, time, conf.getHeads(), dim), null));
        backward(conf, d, rows, dInput, gradients, workspaceMgr);
        closePass();
        weightNoiseParams.clear();
        INDArray dSequence =
                dInput.reshape(batch, rows.size(0) / batch, conf.getNIn()).permute(0, 2, 1);
        return new Pair<>(gradients, backpropDropOutIfPresent(dSequence));
    }

    /** From gradients of queries, keys and values to those of the input and of the parameters. */
    private void backward(
            FoveaAttentionLayer conf,
            AttentionPlane<INDArray> d,
            INDArray rows,
            INDArray dInput,
            Gradient gradients,
            LayerWorkspaceMgr workspaceMgr) {
        INDArray dQuery = flat(requireNonNull(d.query()));
        INDArray dKey = flat(requireNonNull(d.key()));
        INDArray dValue = flat(requireNonNull(d.value()));
        boolean learned = conf.getQueries() > 0;
        if (learned) {
            // Every example has the same queries.
            long examples = dQuery.size(0) / conf.getQueries();
            dQuery = dQuery.reshape(examples, conf.getQueries(), dQuery.size(1)).sum(0);
        }
        if (!conf.isProjectInput()) {
            dInput.assign(dKey).addi(dValue);
            if (learned) {
                learnedGradient(gradients, dQuery);
            } else {
                dInput.addi(dQuery);
            }
            return;
        }
        INDArray queryWeight = projection(AttentionParameters.QUERY, true, workspaceMgr);
        product(dKey, projection(AttentionParameters.KEY, true, workspaceMgr), dInput);
        addProduct(dValue, projection(AttentionParameters.VALUE, true, workspaceMgr), dInput);
        if (learned) {
            learnedGradient(gradients, product(dQuery, queryWeight));
            gradient(gradients, AttentionParameters.QUERY, dQuery, learnedRows(true, workspaceMgr));
        } else {
            addProduct(dQuery, queryWeight, dInput);
            gradient(gradients, AttentionParameters.QUERY, dQuery, rows);
        }
        gradient(gradients, AttentionParameters.KEY, dKey, rows);
        gradient(gradients, AttentionParameters.VALUE, dValue, rows);
    }

    private AttentionCall<INDArray> call(INDArray rows, boolean training, LayerWorkspaceMgr workspaceMgr) {
        FoveaAttentionLayer conf = layerConf();
        long batch = input.size(0);
        INDArray queryRows = conf.getQueries() == 0 ? rows : learnedRows(training, workspaceMgr);
        INDArray query = heads(AttentionParameters.QUERY, queryRows, training, workspaceMgr);
        INDArray key = split(heads(AttentionParameters.KEY, rows, training, workspaceMgr), batch);
        INDArray value = split(heads(AttentionParameters.VALUE, rows, training, workspaceMgr), batch);
        if (conf.getQueries() == 0) {
            query = split(query, batch);
        } else {
            // A stride of 0 shows every example the same queries.
            INDArray one = split(query, 1);
            long[] shape = one.shape().clone();
            long[] strides = one.stride().clone();
            shape[0] = batch;
            strides[0] = 0;
            query = Nd4j.create(one.data(), shape, strides, one.offset(), 'c');
        }
        AttentionSpec spec =
                conf.isCausal() ? AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT) : AttentionSpec.DEFAULT;
        AttentionCall<INDArray> call = FusedAttention.call(query, key, value, spec, Layout.BNHD);
        INDArray mask = maskArray;
        if (mask == null) {
            return call;
        }
        if (mask.size(0) != batch || mask.length() != batch * input.size(2)) {
            throw new DL4JInvalidInputException("the mask is " + Arrays.toString(mask.shape()) + ", the input "
                    + Arrays.toString(input.shape()) + ", expected a mask [batch, time] " + layerId());
        }
        return call.withMask(AttentionMask.<INDArray>none()
                .withScores(FusedAttention.visible(
                        mask.reshape(batch, 1, 1, input.size(2)),
                        dataType == DataType.DOUBLE ? dataType : DataType.FLOAT)));
    }

    /** The input as this layer computes with it. */
    private INDArray checkedInput() {
        FoveaAttentionLayer conf = layerConf();
        if (input.rank() != 3 || input.size(1) != conf.getNIn()) {
            throw new DL4JInvalidInputException("the input is " + Arrays.toString(input.shape()) + ", expected [batch, "
                    + conf.getNIn() + ", time] " + layerId());
        }
        return input.castTo(dataType);
    }

    /** A sequence [batch, features, time] as rows [batch * time, features]. */
    private static INDArray rows(INDArray sequence) {
        INDArray inOrder = sequence.permute(0, 2, 1);
        long[] shape = inOrder.shape();
        boolean dense =
                inOrder.stride(2) == 1 && inOrder.stride(1) == shape[2] && inOrder.stride(0) == shape[1] * shape[2];
        return (dense ? inOrder : inOrder.dup('c')).reshape('c', shape[0] * shape[1], shape[2]);
    }

    /** The learned queries as rows [queries, features]. */
    private INDArray learnedRows(boolean training, LayerWorkspaceMgr workspaceMgr) {
        return rows(weight(AttentionParameters.QUERIES, training, workspaceMgr));
    }

    private INDArray weight(String name, boolean training, LayerWorkspaceMgr workspaceMgr) {
        return getParamWithNoise(name, training, workspaceMgr);
    }

    /** A projection as a matrix [heads * headSize, features]. */
    private INDArray projection(String name, boolean training, LayerWorkspaceMgr workspaceMgr) {
        INDArray weight = weight(name, training, workspaceMgr);
        return weight.reshape('c', weight.size(0) * weight.size(1), weight.size(2));
    }

    /** Projected rows, or the rows themselves. */
    private INDArray heads(String name, INDArray rows, boolean training, LayerWorkspaceMgr workspaceMgr) {
        return layerConf().isProjectInput()
                ? product(rows, projection(name, training, workspaceMgr).transpose())
                : rows;
    }

    /** Rows as [batch, time, heads, headSize]. */
    private INDArray split(INDArray rows, long batch) {
        int heads = layerConf().getHeads();
        return rows.reshape('c', batch, rows.size(0) / batch, heads, rows.size(1) / heads);
    }

    private static INDArray flat(INDArray rows) {
        return rows.reshape('c', rows.size(0) * rows.size(1), rows.size(2) * rows.size(3));
    }

    /** {@code a b} in row-major order, which is the transpose of {@code b^T a^T} in the order that BLAS writes. */
    private static INDArray product(INDArray a, INDArray b) {
        return b.transpose().mmul(a.transpose()).transpose();
    }

    private static void product(INDArray a, INDArray b, INDArray target) {
        Nd4j.gemm(b, a, target.transpose(), true, true, 1, 0);
    }

    private static void addProduct(INDArray a, INDArray b, INDArray target) {
        Nd4j.gemm(b, a, target.transpose(), true, true, 1, 1);
    }

    /** The gradient of a parameter, {@code a^T b}, where the network keeps it. */
    private void gradient(Gradient gradients, String name, INDArray a, INDArray b) {
        INDArray view = requireNonNull(gradientViews.get(name));
        view.assign(product(a.transpose(), b).reshape('c', view.shape()));
        gradients.gradientForVariable().put(name, view);
    }

    private void learnedGradient(Gradient gradients, INDArray dRows) {
        INDArray view = requireNonNull(gradientViews.get(AttentionParameters.QUERIES));
        view.assign(dRows.transpose().reshape('c', view.shape()));
        gradients.gradientForVariable().put(AttentionParameters.QUERIES, view);
    }

    /** In the order of the parameters' own memory. */
    @Override
    public void setParams(INDArray params) {
        if (params != paramsFlattened) {
            paramsFlattened.assign(params.reshape(paramsFlattened.shape()));
        }
    }

    /** Learned queries have taken the mask into account; what they give has no time steps that could be masked. */
    @Override
    public @Nullable Pair<INDArray, MaskState> feedForwardMaskArray(
            INDArray maskArray, MaskState currentMaskState, int minibatchSize) {
        Pair<INDArray, MaskState> same = super.feedForwardMaskArray(maskArray, currentMaskState, minibatchSize);
        return layerConf().getQueries() == 0 ? same : null;
    }

    @Override
    public boolean isPretrainLayer() {
        return false;
    }

    @Override
    public void clear() {
        super.clear();
        closePass();
    }

    private void closePass() {
        if (pass != null) {
            pass.close();
        }
        pass = null;
        passInput = null;
    }
}
