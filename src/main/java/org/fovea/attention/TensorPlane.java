package org.fovea.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Gradients;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The seven tensors that attention's gradient is a function of, or a gradient or direction of each: of query, key, value,
 * bias, sink, and of the gradients of output and log-sum-exp. Null is zero, or not wanted. See {@link AttentionPlane}.
 */
final class TensorPlane {
    private static final int QUERY = 0;
    private static final int KEY = 1;
    private static final int VALUE = 2;
    private static final int BIAS = 3;
    private static final int SINK = 4;
    private static final int OUTPUT = 5;
    private static final int LOG_SUM_EXP = 6;

    private final List<@Nullable Tensor> parts;

    private TensorPlane(List<@Nullable Tensor> parts) {
        this.parts = parts;
    }

    TensorPlane(AttentionOperands operands, Tensor dOutput, @Nullable Tensor dLogSumExp) {
        this(Arrays.asList(
                operands.query(),
                operands.key(),
                operands.value(),
                operands.bias(),
                operands.sink(),
                dOutput,
                dLogSumExp));
    }

    /** Where this has a tensor of which {@code wanted} holds, a new one of its shape with unspecified contents. */
    TensorPlane results(Predicate<Tensor> wanted) {
        return map(x -> wanted.test(x) ? x.tape().result(x.shape()) : null);
    }

    /** The same without the parts of dO and dLSE. */
    TensorPlane ofInputs() {
        return with(null, null);
    }

    /** The parts of dO and dLSE alone. */
    TensorPlane ofOutputs() {
        return new TensorPlane(Collections.nCopies(parts.size(), null)).with(parts.get(OUTPUT), parts.get(LOG_SUM_EXP));
    }

    /** The same with other parts of dO and dLSE. */
    TensorPlane with(@Nullable Tensor output, @Nullable Tensor logSumExp) {
        TensorPlane changed = new TensorPlane(new ArrayList<>(parts));
        changed.parts.set(OUTPUT, output);
        changed.parts.set(LOG_SUM_EXP, logSumExp);
        return changed;
    }

    /** What has reached each part as a gradient. */
    TensorPlane gradients(Gradients g) {
        return map(g::ofOrNull);
    }

    private TensorPlane map(UnaryOperator<@Nullable Tensor> change) {
        List<@Nullable Tensor> changed = new ArrayList<>(Collections.nCopies(parts.size(), null));
        for (int i = 0; i < changed.size(); i++) {
            Tensor part = parts.get(i);
            if (part != null) {
                changed.set(i, change.apply(part));
            }
        }
        return new TensorPlane(changed);
    }

    /** Adds this, part by part, to the gradients of {@code to}. */
    void addTo(TensorPlane to, Gradients g) {
        for (int i = 0; i < parts.size(); i++) {
            Tensor part = parts.get(i);
            if (part != null) {
                g.add(Objects.requireNonNull(to.parts.get(i)), part);
            }
        }
    }

    /** The parts that are there. */
    List<Tensor> present() {
        return parts.stream()
                .filter(Objects::nonNull)
                .map(Objects::requireNonNull)
                .toList();
    }

    AttentionPlane arrays() {
        return new AttentionPlane(
                array(QUERY), array(KEY), array(VALUE), array(BIAS), array(SINK), array(OUTPUT), array(LOG_SUM_EXP));
    }

    /** Those of the inputs; query, key and value of this are there. */
    AttentionArguments arguments() {
        return new AttentionArguments(
                part(QUERY).array(), part(KEY).array(), part(VALUE).array(), array(BIAS), array(SINK));
    }

    /** This with zeros where query, key or value is missing, shaped like those of {@code like}. */
    TensorPlane withRows(TensorPlane like) {
        TensorPlane filled = new TensorPlane(new ArrayList<>(parts));
        for (int i = QUERY; i <= VALUE; i++) {
            if (parts.get(i) == null) {
                Tensor shaped = like.part(i);
                Tape tape = shaped.tape();
                filled.parts.set(i, tape.zeros(shaped.shape()));
            }
        }
        return filled;
    }

    Tensor dOutput() {
        return part(OUTPUT);
    }

    @Nullable
    Tensor dLogSumExp() {
        return parts.get(LOG_SUM_EXP);
    }

    private Tensor part(int index) {
        return Objects.requireNonNull(parts.get(index));
    }

    private @Nullable DeviceArray array(int index) {
        Tensor part = parts.get(index);
        return part == null ? null : part.array();
    }
}
