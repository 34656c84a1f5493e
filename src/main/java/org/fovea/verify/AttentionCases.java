package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/** Attention with each of its features, in every operation and order. */
final class AttentionCases {
    private AttentionCases() {}

    static List<Case> all(boolean deep) {
        List<AttentionFeatures> features = deep
                ? Stream.concat(
                                AttentionCatalogue.large().stream(),
                                Stream.concat(AttentionCatalogue.all(), AttentionCatalogue.types()))
                        .toList()
                : AttentionCatalogue.brief();
        List<AttentionFeatures> few = AttentionCatalogue.few().toList();
        List<Case> cases = new ArrayList<>();
        cases.addAll(of("attentionForward", features, AttentionProblem::checkForward));
        cases.addAll(of("attentionForward", stored(), AttentionProblem::checkState));
        cases.addAll(of("attentionStateSize", stored(), AttentionProblem::checkStateSize));
        cases.addAll(of("attentionBackward", features, AttentionProblem::checkBackward));
        cases.addAll(of("attentionTangent", features, AttentionProblem::checkTangent));
        cases.addAll(of("attentionBackwardTangent", features, AttentionProblem::checkBackwardTangent));
        List<AttentionFeatures> small =
                features.stream().filter(AttentionCases::isSmall).toList();
        cases.addAll(of("attentionSeries", small, problem -> problem.checkSeries(SeriesRing.taylor(2))));
        cases.addAll(of("attentionSeries", few, problem -> {
            problem.checkSeries(SeriesRing.taylor(4));
            problem.checkSeries(SeriesRing.infinitesimals(3));
        }));
        cases.addAll(of("attentionWeights", small, AttentionProblem::checkWeights));
        cases.addAll(decoding(null));
        cases.addAll(decoding(DType.BF16));
        cases.addAll(decoding(DType.F16));
        return cases;
    }

    private static List<AttentionFeatures> stored() {
        return AttentionCatalogue.types().toList();
    }

    /** What the reference can do to any order in no time. */
    private static boolean isSmall(AttentionFeatures features) {
        return features.shape().logSumExpSize() * features.shape().keys() < 1000;
    }

    private static List<Case> of(String operation, List<AttentionFeatures> features, Consumer<AttentionProblem> check) {
        return features.stream()
                .map(f -> new Case(operation, f.toString(), p -> {
                    AttentionProblem problem = new AttentionProblem(p, f, 1);
                    problem.forward();
                    check.accept(problem);
                }))
                .toList();
    }

    /** @param type of the arrays, or null for that of the arithmetic */
    private static List<Case> decoding(@Nullable DType type) {
        List<Case> cases = new ArrayList<>();
        for (Similarity similarity : Similarity.values()) {
            AttentionSpec spec =
                    AttentionSpec.DEFAULT.withSimilarity(similarity).withScale(0.9);
            for (AttentionSpec asked : List.of(spec, spec.withSoftcap(1.2))) {
                String name = (type == null ? "" : type + " ") + asked;
                cases.add(new Case("attentionDecode", name, p -> decode(p, type, asked)));
            }
        }
        return cases;
    }

    /** Rows of the caches that are not in use are NaN. */
    private static void decode(Pair p, @Nullable DType given, AttentionSpec spec) {
        DType type = given == null ? p.tested.memory().floatType() : given;
        DecodeShape s = new DecodeShape(3, 2, 5, 7, 3);
        int newest = 2;
        int[] counts = {4, 0, 5};
        double[] keys = Pair.normal(30 * s.headDim(), 2);
        double[] values = Pair.normal(30 * s.valueDim(), 3);
        for (int b = 0; b < s.batch(); b++) {
            for (int age = counts[b]; age < s.capacity(); age++) {
                int slot = b * s.capacity() + Math.floorMod(newest - age, s.capacity());
                Arrays.fill(keys, slot * s.heads() * s.headDim(), (slot + 1) * s.heads() * s.headDim(), Double.NaN);
                Arrays.fill(values, slot * s.heads() * s.valueDim(), (slot + 1) * s.heads() * s.valueDim(), Double.NaN);
            }
        }
        Pair.Both query = p.floats(type, Pair.normal(6 * s.headDim(), 1));
        Pair.Both key = p.floats(type, keys);
        Pair.Both value = p.floats(type, values);
        Pair.Both count = p.ints(counts);
        Pair.Both output = p.output(type, 6L * s.valueDim());
        DecodeCall<Pair.Both> call = new DecodeCall<>(s, spec, query, key, value, count, newest);
        p.runWithBounds(type, b -> b.attention().decode(call.map(x -> x.on(b)), output.on(b)));
        output.isWithinBounds(4, p.unit(), "output of " + spec + " in " + type);
    }
}
