// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.io.TensorInfo;
import org.fovea.io.TensorType;
import org.jspecify.annotations.Nullable;

/** Answers a request on a backend. The answer's arrays live as long as the scope. */
final class Computation {
    private final Request request;
    private final Backend backend;
    private final DeviceTensors tensors;
    private final AttentionShape shape;
    private final AttentionCall<DeviceArray> call;
    private final AttentionOutputs<DeviceArray> outputs;
    private final Answer answer = new Answer();

    private Computation(Request request, Backend backend, Scope scope) throws IOException {
        this.request = request;
        this.backend = backend;
        shape = request.shape();
        tensors = new DeviceTensors(request, backend, scope);
        call = tensors.call(request.settings().spec().withPastKeys(request.past()));
        AttentionOutputs<DeviceArray> written =
                new AttentionOutputs<>(tensors.operands(shape.outputSize()), tensors.reals(shape.logSumExpSize()));
        boolean differentiated = request.has("do") || request.hasAny("t");
        outputs = differentiated ? written.withState(backend.attention(), call, scope::allocate) : written;
    }

    /** Computes everything that is asked for, but the weights: these are computed when they are written. */
    static Answer of(Request request, Backend backend, Scope scope) throws IOException {
        Computation computation = new Computation(request, backend, scope);
        computation.forward();
        if (request.has("do")) {
            computation.gradients();
        }
        if (request.hasAny("t")) {
            computation.tangent();
        }
        if (request.settings().order() > 0) {
            computation.series();
        }
        return computation.answer;
    }

    /** Without queries there is nothing to compute: what isn't empty is 0, as all arrays of results are at first. */
    private boolean hasQueries() {
        return shape.logSumExpSize() > 0;
    }

    private void forward() {
        if (hasQueries()) {
            backend.attention().forward(call, outputs);
        }
        addOutputs("o", outputs.output(), "lse", outputs.logSumExp());
        if (request.has("past_k")) {
            addKeyRows("present_k", shape.headDim(), KeyRows.withPast(request, "k"));
            addKeyRows("present_v", shape.valueDim(), KeyRows.withPast(request, "v"));
        }
        ScoreStage stage = request.settings().weights();
        if (stage != null) {
            AttentionSettings.Rows rows = request.settings().rows();
            long first = rows == null ? 0 : rows.first();
            long count = (rows == null ? shape.queries() : rows.end()) - first;
            TensorInfo info = TensorInfo.of(request.type(), shape.batch(), shape.heads(), count, shape.keys());
            answer.add("weights", new WeightsResult(info, backend, call, outputs, stage, (int) first));
        }
    }

    /** Backward, and double backward where cotangents of its results ask for it. */
    private void gradients() throws IOException {
        AttentionPlane<DeviceArray> dOutputs =
                AttentionPlane.outputs(tensors.operand("do"), tensors.realOrNull("dlse"));
        AttentionPlane<DeviceArray> gradients = inputArrays();
        if (hasQueries()) {
            backend.attention().backward(call, outputs, dOutputs, gradients);
        }
        addArguments("d", "", gradients);
        if (!request.hasAny("dd") && !request.has("ddo")) {
            return;
        }
        AttentionPlane<DeviceArray> directions = directions("dd").withOutputs(tensors.operandOrNull("ddo"), null);
        AttentionPlane<DeviceArray> second = withOutputArrays(inputArrays());
        if (hasQueries()) {
            backend.attention().backwardTangent(call, outputs, dOutputs, directions, second);
        }
        addArguments("g_", "", second);
        addOutputs("g_do", second.output(), "g_dlse", second.logSumExp());
    }

    private void tangent() throws IOException {
        AttentionPlane<DeviceArray> directions = directions("t");
        AttentionPlane<DeviceArray> tangents = withOutputArrays(AttentionPlane.none());
        if (hasQueries()) {
            backend.attention().tangent(call, outputs, directions, tangents);
        }
        addOutputs("to", tangents.output(), "tlse", tangents.logSumExp());
    }

    /** Taylor coefficients above the first, the values, which the steps before have given. */
    private void series() throws IOException {
        int order = request.settings().order();
        boolean wantsGradients = request.has("do");
        List<AttentionPlane<DeviceArray>> arguments = new ArrayList<>();
        List<AttentionPlane<DeviceArray>> results = new ArrayList<>();
        arguments.add(AttentionPlane.outputs(tensors.operandOrNull("do"), tensors.realOrNull("dlse")));
        results.add(AttentionPlane.none());
        for (int i = 1; i <= order; i++) {
            String suffix = "." + i;
            arguments.add(new AttentionPlane<>(
                    tensors.operandOrNull("q" + suffix),
                    tensors.operandOrNull("k" + suffix),
                    tensors.operandOrNull("v" + suffix),
                    tensors.realOrNull("bias" + suffix),
                    tensors.realOrNull("sink" + suffix),
                    tensors.operandOrNull("do" + suffix),
                    tensors.realOrNull("dlse" + suffix)));
            results.add(withOutputArrays(wantsGradients ? inputArrays() : AttentionPlane.none()));
        }
        if (hasQueries()) {
            backend.attention().series(call, SeriesRing.taylor(order), arguments, results);
        }
        for (int i = 1; i <= order; i++) {
            AttentionPlane<DeviceArray> result = results.get(i);
            addOutputs("o." + i, result.output(), "lse." + i, result.logSumExp());
            addArguments("d", "." + i, result);
        }
    }

    /** What moves along when attention is differentiated: the tensors of a prefix, 0 where one isn't there. */
    private AttentionPlane<DeviceArray> directions(String prefix) throws IOException {
        return AttentionPlane.inputs(
                tensors.operandOrZero(prefix + "q", shape.querySize()),
                tensors.operandOrZero(prefix + "k", shape.keySize()),
                tensors.operandOrZero(prefix + "v", shape.valueSize()),
                tensors.realOrNull(prefix + "bias"),
                tensors.realOrNull(prefix + "sink"));
    }

    /** Room for gradients of the inputs. */
    private AttentionPlane<DeviceArray> inputArrays() {
        return AttentionPlane.inputs(
                tensors.operands(shape.querySize()),
                tensors.operands(shape.keySize()),
                tensors.operands(shape.valueSize()),
                call.bias() == null ? null : tensors.reals(call.bias().size()),
                call.sink() == null ? null : tensors.reals(shape.heads()));
    }

    /** Room for outputs too. */
    private AttentionPlane<DeviceArray> withOutputArrays(AttentionPlane<DeviceArray> plane) {
        return plane.withOutputs(tensors.operands(shape.outputSize()), tensors.reals(shape.logSumExpSize()));
    }

    private void addArguments(String prefix, String suffix, AttentionPlane<DeviceArray> plane) {
        add(prefix + "q" + suffix, "q", plane.query());
        addKeyRows(prefix + "k" + suffix, shape.headDim(), plane.key());
        addKeyRows(prefix + "v" + suffix, shape.valueDim(), plane.value());
        add(prefix + "bias" + suffix, "bias", plane.bias());
        add(prefix + "sink" + suffix, "sink", plane.sink());
    }

    /** A result in the shape of a tensor of the request. */
    private void add(String name, String model, @Nullable DeviceArray array) {
        if (array != null) {
            answer.add(name, request.type(), numbers(array), request.info(model).shape());
        }
    }

    private void addKeyRows(String name, int dim, @Nullable DeviceArray array) {
        if (array != null) {
            Numbers rows = KeyRows.withoutPast(request, numbers(array), dim);
            answer.add(name, request.type(), rows, shape.batch(), shape.keyHeads(), shape.keys() - request.past(), dim);
        }
    }

    private void addKeyRows(String name, int dim, Numbers rows) {
        answer.add(name, request.type(), rows, shape.batch(), shape.keyHeads(), shape.keys(), dim);
    }

    private void addOutputs(
            String name, @Nullable DeviceArray rows, String logSumExpName, @Nullable DeviceArray rowScalars) {
        if (rows != null && rowScalars != null) {
            TensorType scalars = request.logSumExpType();
            answer.add(
                    name,
                    request.type(),
                    numbers(rows),
                    shape.batch(),
                    shape.heads(),
                    shape.queries(),
                    shape.valueDim());
            answer.add(logSumExpName, scalars, numbers(rowScalars), shape.batch(), shape.heads(), shape.queries());
        }
    }

    private Numbers numbers(DeviceArray array) {
        return new ArrayNumbers(backend.memory(), array);
    }
}
