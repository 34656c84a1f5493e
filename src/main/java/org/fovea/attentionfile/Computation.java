package org.fovea.attentionfile;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.OutputGradients;
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
    private final AttentionSpec spec;
    private final AttentionInputs inputs;
    private final AttentionOutputs outputs;
    private final Answer answer = new Answer();

    private Computation(Request request, Backend backend, Scope scope) throws IOException {
        this.request = request;
        this.backend = backend;
        shape = request.shape();
        spec = request.settings().spec().withPastKeys(request.past());
        tensors = new DeviceTensors(request, backend, scope);
        inputs = tensors.inputs();
        AttentionOutputs written =
                new AttentionOutputs(tensors.operands(shape.outputSize()), tensors.reals(shape.logSumExpSize()));
        boolean differentiated = request.has("do") || request.hasAny("t");
        outputs =
                differentiated ? written.withState(backend.attention(), shape, spec, inputs, scope::allocate) : written;
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
            backend.attention().forward(shape, spec, inputs, outputs);
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
            answer.add("weights", new WeightsResult(info, backend, shape, spec, inputs, outputs, stage, (int) first));
        }
    }

    /** Backward, and double backward where cotangents of its results ask for it. */
    private void gradients() throws IOException {
        DeviceArray dOutput = tensors.operand("do");
        DeviceArray dLogSumExp = tensors.realOrNull("dlse");
        AttentionArguments gradients = gradientArrays();
        if (hasQueries()) {
            backend.attention().backward(shape, spec, inputs, outputs, dOutput, dLogSumExp, gradients);
        }
        addArguments("d", "", plane(gradients));
        if (!request.hasAny("dd") && !request.has("ddo")) {
            return;
        }
        AttentionArguments directions = directions("dd");
        OutputGradients outputGradients = new OutputGradients(dOutput, dLogSumExp, tensors.operandOrNull("ddo"), null);
        AttentionArguments second = gradientArrays();
        DeviceArray gradientOfDo = tensors.operands(shape.outputSize());
        DeviceArray gradientOfDlse = tensors.reals(shape.logSumExpSize());
        if (hasQueries()) {
            backend.attention()
                    .backwardTangent(
                            shape,
                            spec,
                            inputs,
                            directions,
                            outputs,
                            outputGradients,
                            gradientOfDo,
                            gradientOfDlse,
                            second);
        }
        addArguments("g_", "", plane(second));
        addOutputs("g_do", gradientOfDo, "g_dlse", gradientOfDlse);
    }

    private void tangent() throws IOException {
        AttentionArguments directions = directions("t");
        DeviceArray outputTangent = tensors.operands(shape.outputSize());
        DeviceArray logSumExpTangent = tensors.reals(shape.logSumExpSize());
        if (hasQueries()) {
            backend.attention().tangent(shape, spec, inputs, directions, outputs, outputTangent, logSumExpTangent);
        }
        addOutputs("to", outputTangent, "tlse", logSumExpTangent);
    }

    /** Taylor coefficients above the first, the values, which the steps before have given. */
    private void series() throws IOException {
        int order = request.settings().order();
        boolean wantsGradients = request.has("do");
        List<AttentionPlane> arguments = new ArrayList<>();
        List<AttentionPlane> results = new ArrayList<>();
        arguments.add(new AttentionPlane(
                null, null, null, null, null, tensors.operandOrNull("do"), tensors.realOrNull("dlse")));
        results.add(AttentionPlane.NONE);
        for (int i = 1; i <= order; i++) {
            String suffix = "." + i;
            arguments.add(new AttentionPlane(
                    tensors.operandOrNull("q" + suffix),
                    tensors.operandOrNull("k" + suffix),
                    tensors.operandOrNull("v" + suffix),
                    tensors.realOrNull("bias" + suffix),
                    tensors.realOrNull("sink" + suffix),
                    tensors.operandOrNull("do" + suffix),
                    tensors.realOrNull("dlse" + suffix)));
            AttentionPlane result = wantsGradients ? plane(gradientArrays()) : AttentionPlane.NONE;
            results.add(new AttentionPlane(
                    result.query(),
                    result.key(),
                    result.value(),
                    result.bias(),
                    result.sink(),
                    tensors.operands(shape.outputSize()),
                    tensors.reals(shape.logSumExpSize())));
        }
        if (hasQueries()) {
            backend.attention().series(shape, spec, inputs, SeriesRing.taylor(order), arguments, results);
        }
        for (int i = 1; i <= order; i++) {
            AttentionPlane result = results.get(i);
            addOutputs("o." + i, result.output(), "lse." + i, result.logSumExp());
            addArguments("d", "." + i, result);
        }
    }

    /** What moves along when attention is differentiated: the tensors of a prefix, 0 where one isn't there. */
    private AttentionArguments directions(String prefix) throws IOException {
        return new AttentionArguments(
                tensors.operandOrZero(prefix + "q", shape.querySize()),
                tensors.operandOrZero(prefix + "k", shape.keySize()),
                tensors.operandOrZero(prefix + "v", shape.valueSize()),
                tensors.realOrNull(prefix + "bias"),
                tensors.realOrNull(prefix + "sink"));
    }

    private AttentionArguments gradientArrays() {
        return new AttentionArguments(
                tensors.operands(shape.querySize()),
                tensors.operands(shape.keySize()),
                tensors.operands(shape.valueSize()),
                inputs.bias() == null ? null : tensors.reals(inputs.bias().size()),
                inputs.sink() == null ? null : tensors.reals(shape.heads()));
    }

    private static AttentionPlane plane(AttentionArguments a) {
        return new AttentionPlane(a.query(), a.key(), a.value(), a.bias(), a.sink(), null, null);
    }

    private void addArguments(String prefix, String suffix, AttentionPlane plane) {
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
