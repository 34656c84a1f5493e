// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.env.NearestNames;

/**
 * The names of an option's values, and synonyms of them.
 *
 * @param kind what a value is, for people
 * @param values by name, in lower case with hyphens
 * @param synonyms the name that is meant, by another, which no value has
 */
record Vocabulary<E extends Enum<E>>(String kind, Map<String, E> values, Map<String, String> synonyms) {

    static final Vocabulary<Alignment> CORNERS = of(
            "corner",
            Alignment.values(),
            "topleft upperleft left tl start begin beginning first true -> top-left",
            "bottomright lowerright right br end last -> bottom-right");

    static final Vocabulary<Similarity> SIMILARITIES = of(
            "similarity",
            Similarity.values(),
            "dotproduct product innerproduct inner ip scaleddotproduct mm -> dot",
            "cos cosinesimilarity angle -> cosine",
            "euclid euclideandistance distance dist l2 rbf gaussian -> euclidean");

    static final Vocabulary<ScoreStage> STAGES = of(
            "stage",
            ScoreStage.values(),
            "score raw logits qk similarities similarity scaled -> scores",
            "softcapped cap capped bias biased -> softcap",
            "mask afterbias aftermask -> masked",
            "probs prob probabilities probability p attn attention attentionweights weights weight aftersoftmax true"
                    + " -> softmax");

    private static <E extends Enum<E>> Vocabulary<E> of(String kind, E[] constants, String... synonyms) {
        Map<String, E> values = new LinkedHashMap<>();
        for (E constant : constants) {
            values.put(constant.name().toLowerCase(Locale.ROOT).replace('_', '-'), constant);
        }
        Map<String, String> meanings = new LinkedHashMap<>();
        values.keySet().forEach(name -> meanings.put(bare(name), name));
        for (String line : synonyms) {
            String[] sides = line.split(" -> ");
            Arrays.stream(sides[0].split(" ")).forEach(word -> meanings.put(word, sides[1]));
        }
        return new Vocabulary<>(kind, values, meanings);
    }

    /** Letters and digits alone: {@code Bottom_Right} is no other word than {@code bottom-right}. */
    private static String bare(String word) {
        return word.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "");
    }

    /** The value that a word means, which may be spelt otherwise or be a synonym. */
    Optional<String> meant(String word) {
        return Optional.ofNullable(synonyms.get(bare(word)));
    }

    /**
     * The value of a name.
     *
     * @throws UsageException if there is none, with the one that is likely to be meant, and all there are
     */
    E value(String option, String name) {
        E value = values.get(name);
        if (value == null) {
            String all = String.join(", ", values.keySet());
            if (name.isBlank()) {
                throw new UsageException(option + " lacks its " + kind + "; there are: " + all);
            }
            String likely = meant(name)
                    .orElseGet(() -> NearestNames.of(name, values.keySet()).get(0));
            throw new UsageException("unknown " + kind + " '" + name + "' of " + option + "; did you mean " + likely
                    + "? There are: " + all);
        }
        return value;
    }
}
