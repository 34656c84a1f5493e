// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Names that tensors have elsewhere, in PyTorch, JAX, FlashAttention and ONNX, for the suggestion when one is used here. */
final class TensorNames {
    /** Results, which a request does not hold. */
    private static final Set<String> RESULTS = Set.of(
            "o",
            "out",
            "output",
            "outputs",
            "attnoutput",
            "lse",
            "logsumexp",
            "softmaxlse",
            "weights",
            "attnweights",
            "dq",
            "dk",
            "dv",
            "dbias",
            "dsink",
            "gq",
            "gk",
            "gv",
            "gbias",
            "gsink",
            "gdo",
            "gdlse",
            "to",
            "tlse",
            "presentk",
            "presentv",
            "presentkey",
            "presentvalue",
            "presentkeys",
            "presentvalues");

    /** Other names of a tensor, without what separates their parts. */
    private static final Map<String, List<String>> OTHERS = new LinkedHashMap<>();

    static {
        OTHERS.put("q", List.of("query", "queries", "xq", "qproj", "querystates", "querylayer"));
        OTHERS.put("k", List.of("key", "keys", "xk", "kproj", "keystates", "keylayer"));
        OTHERS.put("v", List.of("value", "values", "val", "xv", "vproj", "valuestates", "valuelayer"));
        OTHERS.put("past_k", List.of("pastkey", "pastkeys", "kcache", "keycache", "cachek", "cachedkey", "cachedkeys"));
        OTHERS.put(
                "past_v",
                List.of("pastvalue", "pastvalues", "vcache", "valuecache", "cachev", "cachedvalue", "cachedvalues"));
        OTHERS.put("mask", List.of("attnmask", "attentionmask", "masks", "keypaddingmask", "paddingmask", "m"));
        OTHERS.put(
                "bias",
                List.of(
                        "attnbias",
                        "attentionbias",
                        "positionbias",
                        "relativepositionbias",
                        "relposbias",
                        "biases",
                        "b"));
        OTHERS.put("alibi", List.of("alibislopes", "slopes", "alibislope", "slope"));
        OTHERS.put("sink", List.of("sinks", "attentionsink", "attentionsinks", "attnsink", "saux", "learnablesink"));
        OTHERS.put(
                "kv_lengths",
                List.of(
                        "lengths",
                        "length",
                        "seqlens",
                        "seqlen",
                        "seqlensk",
                        "seqlenk",
                        "seqlenskv",
                        "kvlens",
                        "kvlen",
                        "kvlength",
                        "kvseqlens",
                        "keylengths",
                        "cacheseqlens",
                        "sequsedk",
                        "nonpadkvseqlen",
                        "contextlens",
                        "sequencelengths"));
        OTHERS.put(
                "q_segments",
                List.of(
                        "qsegmentids",
                        "qsegment",
                        "segmentids",
                        "segments",
                        "querysegments",
                        "querysegmentids",
                        "segmentidsq",
                        "qseqids"));
        OTHERS.put(
                "k_segments",
                List.of(
                        "ksegmentids",
                        "ksegment",
                        "kvsegmentids",
                        "kvsegments",
                        "keysegments",
                        "keysegmentids",
                        "segmentidsk",
                        "segmentidskv"));
        OTHERS.put("cu_seqlens_q", List.of("cuseqlens", "cuseqlenq", "qcuseqlens", "cumseqlensq", "cuseqlensquery"));
        OTHERS.put("cu_seqlens_k", List.of("cuseqlenskv", "cuseqlenk", "kcuseqlens", "cumseqlensk", "cuseqlenskey"));
        OTHERS.put(
                "do",
                List.of(
                        "dout",
                        "doutput",
                        "gradoutput",
                        "gradout",
                        "grado",
                        "go",
                        "outputgrad",
                        "grad",
                        "ograd",
                        "outgrad",
                        "cotangent"));
        OTHERS.put("dlse", List.of("gradlse", "dlogsumexp", "gradlogsumexp", "lsegrad", "dsoftmaxlse"));
    }

    private static final Map<String, String> MEANINGS = meanings();

    private TensorNames() {}

    private static Map<String, String> meanings() {
        Map<String, String> meanings = new LinkedHashMap<>();
        for (String name : TensorRules.names()) {
            meanings.put(bare(name), name);
        }
        OTHERS.forEach((name, others) -> others.forEach(other -> meanings.putIfAbsent(other, name)));
        for (String argument : TensorRules.ARGUMENTS) {
            for (String other : OTHERS.getOrDefault(argument, List.of())) {
                meanings.putIfAbsent("dd" + other, "dd" + argument);
                meanings.putIfAbsent("t" + other, "t" + argument);
            }
            for (String other : List.of("gradgrad" + argument, "ggrad" + argument, "gg" + argument)) {
                meanings.putIfAbsent(other, "dd" + argument);
            }
            for (String other : List.of("tangent" + argument, argument + "tangent", argument + "t", "dot" + argument)) {
                meanings.putIfAbsent(other, "t" + argument);
            }
        }
        List.of("ddout", "ddoutput", "gradgradoutput", "gradgradout", "ggo").forEach(n -> meanings.put(n, "ddo"));
        return meanings;
    }

    private static String bare(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "");
    }

    /** What to say of a name that no tensor has, with a space behind it; empty if nothing comes to mind. */
    static String advice(String name) {
        int dot = name.lastIndexOf('.');
        boolean isCoefficient = dot > 0 && name.substring(dot + 1).matches("[1-9]\\d*");
        String order = isCoefficient ? name.substring(dot) : "";
        String bare = bare(isCoefficient ? name.substring(0, dot) : name);
        String meant = MEANINGS.get(bare);
        if (meant != null && !(meant + order).equals(name) && TensorRules.get(meant + order) != null) {
            return "did you mean " + meant + order + "? Otherwise, ";
        }
        if (RESULTS.contains(bare)) {
            return "it is a result, which is computed and not given (its gradient is do or dlse); ";
        }
        return MEANINGS.keySet().stream()
                .filter(known -> known.length() > 3 && isOneEditAway(bare, known))
                .findFirst()
                .map(known -> "did you mean " + MEANINGS.get(known) + order + "? Otherwise, ")
                .orElse("");
    }

    /** Whether one letter more, less or other makes one of the other. */
    private static boolean isOneEditAway(String a, String b) {
        if (a.length() > b.length()) {
            return isOneEditAway(b, a);
        }
        int same = 0;
        while (same < a.length() && a.charAt(same) == b.charAt(same)) {
            same++;
        }
        String rest = a.substring(same);
        if (a.length() == b.length()) {
            rest = rest.substring(Math.min(rest.length(), 1));
        }
        return b.substring(Math.min(b.length(), same + 1)).equals(rest);
    }
}
