// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.io.SafeTensorsReader;
import org.fovea.io.TensorInfo;
import org.fovea.io.TensorType;

/**
 * A file of tensors and the settings, found to be a request that makes sense.
 *
 * @param reader of the tensors
 * @param settings as given
 * @param shape of the attention, past keys among its keys
 * @param past how many of the keys come from the past
 */
record Request(SafeTensorsReader reader, AttentionSettings settings, AttentionShape shape, int past) {

    /**
     * Checks names, types, shapes and what needs what.
     *
     * @throws InvalidRequestException naming what is wrong
     */
    static Request check(SafeTensorsReader reader, AttentionSettings settings) {
        Set<String> names = reader.tensors().keySet();
        // Before what is missing: it may be there by another name.
        List<TensorRule> rules = rules(names, settings);
        for (String required : List.of("q", "k", "v")) {
            if (!names.contains(required)) {
                throw new InvalidRequestException("tensor '" + required + "' is missing in " + reader.file());
            }
        }
        TensorType operands = reader.info("q").type();
        if (!TensorRule.FLOATING.contains(operands)) {
            throw new InvalidRequestException(
                    "tensor 'q' is " + reader.info("q") + ", but should be of type F64, F32," + " F16 or BF16");
        }
        for (TensorRule rule : rules) {
            checkPartners(rule, names);
            checkType(rule, reader.info(rule.name()), operands);
        }
        if (names.contains("past_k") && names.contains("cu_seqlens_q")) {
            throw new InvalidRequestException(
                    "tensor 'past_k' is given with 'cu_seqlens_q', but packed sequences can't have a past");
        }
        Extents extents = new Extents();
        for (TensorRule rule : rules) {
            checkShape(rule, reader, extents);
        }
        AttentionShape shape = extents.shape();
        if (names.contains("cu_seqlens_q") && shape.batch() != 1) {
            throw new InvalidRequestException(
                    "tensor 'cu_seqlens_q' is given, so B must be 1, but it is " + shape.batch());
        }
        if (names.contains("cu_seqlens_q") && extents.get(Axis.SEQUENCE_ENDS) == 0) {
            throw new InvalidRequestException("tensor 'cu_seqlens_q' is empty, but should begin with 0");
        }
        requireFit(settings.spec(), operands);
        AttentionSettings.Rows rows = settings.rows();
        if (rows != null && rows.end() > shape.queries()) {
            throw new InvalidRequestException("rows up to " + rows.end() + " of the weights are asked for, but tensor"
                    + " 'q' has " + shape.queries());
        }
        return new Request(reader, settings, shape, extents.count(Axis.PAST));
    }

    private static void requireFit(AttentionSpec spec, TensorType operands) {
        try {
            spec.requireFit(DType.valueOf(operands.name()));
        } catch (IllegalArgumentException e) {
            throw new InvalidRequestException(
                    e.getMessage() + ", which is what tensors of " + operands + " are computed in", e);
        }
    }

    /** The rules of the tensors there are, in the order of the table, then coefficients. */
    private static List<TensorRule> rules(Set<String> names, AttentionSettings settings) {
        List<TensorRule> rules = new ArrayList<>();
        List<TensorRule> coefficients = new ArrayList<>();
        for (String name : names) {
            TensorRule rule = TensorRules.get(name);
            if (rule == null) {
                throw new InvalidRequestException("unknown tensor '" + shown(name) + "'; " + TensorNames.advice(name)
                        + "there are " + String.join(" ", TensorRules.names()) + ", and with an order q.1 and so on");
            }
            int order = TensorRules.order(name);
            if (order > settings.order()) {
                throw new InvalidRequestException("tensor '" + name + "' is a coefficient of order " + order
                        + ", but the order asked for is " + settings.order());
            }
            if (order > 0) {
                coefficients.add(rule);
            }
        }
        for (String name : TensorRules.names()) {
            TensorRule rule = TensorRules.get(name);
            if (rule != null && names.contains(name)) {
                rules.add(rule);
            }
        }
        rules.addAll(coefficients);
        return rules;
    }

    private static String shown(String name) {
        return name.length() <= 100 ? name : name.substring(0, 100) + "...";
    }

    private static void checkPartners(TensorRule rule, Set<String> names) {
        for (String partner : rule.partners()) {
            if (!names.contains(partner)) {
                throw new InvalidRequestException(
                        "tensor '" + rule.name() + "' is given without tensor '" + partner + "', which it needs");
            }
        }
    }

    private static void checkType(TensorRule rule, TensorInfo tensor, TensorType operands) {
        if (!rule.elements().accepts(tensor.type(), operands)) {
            String expected = rule.elements() == TensorRule.Elements.OPERAND
                    ? operands + " as tensor 'q' is"
                    : rule.elements().expected();
            throw new InvalidRequestException(
                    "tensor '" + rule.name() + "' is " + tensor + ", but should be of type " + expected);
        }
    }

    private static void checkShape(TensorRule rule, SafeTensorsReader reader, Extents extents) {
        TensorInfo tensor = reader.info(rule.name());
        String modelName = rule.model();
        if (modelName != null) {
            TensorInfo model = reader.info(modelName);
            if (!tensor.hasShapeOf(model)) {
                throw new InvalidRequestException("tensor '" + rule.name() + "' is " + tensor
                        + ", but should have the shape of '" + modelName + "', which is " + model);
            }
        } else if (rule.broadcasts()) {
            extents.fitBroadcast(rule, tensor);
        } else {
            extents.fit(rule, tensor);
        }
    }

    /** What could have meant something else. */
    List<String> notes() {
        return Stream.of("mask", "bias")
                .filter(this::has)
                .flatMap(name -> Extents.otherReading(name, info(name), shape).stream())
                .toList();
    }

    boolean has(String name) {
        return reader.tensors().containsKey(name);
    }

    /** Whether any of the arguments' tensors of a prefix is there, such as {@code ddq} of {@code dd}. */
    boolean hasAny(String prefix) {
        return TensorRules.ARGUMENTS.stream().anyMatch(argument -> has(prefix + argument));
    }

    TensorInfo info(String name) {
        return reader.info(name);
    }

    /** Type of query, key, value, and of the results. */
    TensorType type() {
        return info("q").type();
    }

    /** Type of log-sum-exps among the results. */
    TensorType logSumExpType() {
        return type() == TensorType.F64 ? TensorType.F64 : TensorType.F32;
    }
}
