// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import static org.fovea.attentionfile.Axis.ALL_KEYS;
import static org.fovea.attentionfile.Axis.BATCH;
import static org.fovea.attentionfile.Axis.HEADS;
import static org.fovea.attentionfile.Axis.HEAD_DIM;
import static org.fovea.attentionfile.Axis.KEYS;
import static org.fovea.attentionfile.Axis.KEY_HEADS;
import static org.fovea.attentionfile.Axis.PAST;
import static org.fovea.attentionfile.Axis.QUERIES;
import static org.fovea.attentionfile.Axis.SEQUENCE_ENDS;
import static org.fovea.attentionfile.Axis.VALUE_DIM;
import static org.fovea.attentionfile.TensorRule.Elements.INDEX;
import static org.fovea.attentionfile.TensorRule.Elements.MASK;
import static org.fovea.attentionfile.TensorRule.Elements.OPERAND;
import static org.fovea.attentionfile.TensorRule.Elements.REAL;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** All tensors that a request may hold, and their names. */
final class TensorRules {
    /** What attention is differentiated by. */
    static final List<String> ARGUMENTS = List.of("q", "k", "v", "bias", "sink");

    private static final Pattern COEFFICIENT = Pattern.compile("(q|k|v|bias|sink|do|dlse)\\.([1-9]\\d{0,8})");

    /** By name, each after those whose extents it shares. */
    private static final Map<String, TensorRule> TABLE = table();

    private TensorRules() {}

    private static Map<String, TensorRule> table() {
        List<TensorRule> rules = new ArrayList<>(List.of(
                TensorRule.of("q", OPERAND, BATCH, HEADS, QUERIES, HEAD_DIM),
                TensorRule.of("k", OPERAND, BATCH, KEY_HEADS, KEYS, HEAD_DIM),
                TensorRule.of("v", OPERAND, BATCH, KEY_HEADS, KEYS, VALUE_DIM),
                TensorRule.of("past_k", OPERAND, BATCH, KEY_HEADS, PAST, HEAD_DIM)
                        .with("past_v"),
                TensorRule.of("past_v", OPERAND, BATCH, KEY_HEADS, PAST, VALUE_DIM)
                        .with("past_k"),
                TensorRule.ofScores("mask", MASK),
                TensorRule.ofScores("bias", REAL),
                TensorRule.of("alibi", REAL, HEADS),
                TensorRule.of("sink", REAL, HEADS),
                TensorRule.of("kv_lengths", INDEX, BATCH),
                TensorRule.of("q_segments", INDEX, BATCH, QUERIES).with("k_segments"),
                TensorRule.of("k_segments", INDEX, BATCH, ALL_KEYS).with("q_segments"),
                TensorRule.of("cu_seqlens_q", INDEX, SEQUENCE_ENDS).with("cu_seqlens_k"),
                TensorRule.of("cu_seqlens_k", INDEX, SEQUENCE_ENDS).with("cu_seqlens_q"),
                TensorRule.of("do", OPERAND, BATCH, HEADS, QUERIES, VALUE_DIM),
                TensorRule.of("dlse", REAL, BATCH, HEADS, QUERIES).with("do")));
        Map<String, TensorRule> table = new LinkedHashMap<>();
        rules.forEach(rule -> table.put(rule.name(), rule));
        for (TensorRule rule : rules) {
            String name = rule.name();
            if (ARGUMENTS.contains(name)) {
                table.put("dd" + name, rule.derivative("dd" + name).with("do"));
                table.put("t" + name, rule.derivative("t" + name));
            } else if (name.equals("do")) {
                table.put("ddo", rule.derivative("ddo"));
            }
        }
        return table;
    }

    /** The order of a Taylor coefficient by its name, such as 3 of {@code q.3}; 0 of any other tensor. */
    static int order(String name) {
        Matcher coefficient = COEFFICIENT.matcher(name);
        return coefficient.matches() ? Integer.parseInt(coefficient.group(2)) : 0;
    }

    /** The rule for a name, or null if no tensor is called so. */
    static @Nullable TensorRule get(String name) {
        Matcher coefficient = COEFFICIENT.matcher(name);
        if (!coefficient.matches()) {
            return TABLE.get(name);
        }
        TensorRule base = TABLE.get(coefficient.group(1));
        if (base == null) {
            throw new IllegalStateException("no rule for " + coefficient.group(1));
        }
        // The gradient for the log-sum-exp may begin at 0; what else has coefficients has a value.
        return base.name().equals("dlse")
                ? new TensorRule(name, base.elements(), base.axes(), false, null, base.partners())
                : base.derivative(name);
    }

    /** Names of all tensors but Taylor coefficients, those first that decide extents. */
    static List<String> names() {
        return List.copyOf(TABLE.keySet());
    }
}
