// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.verify.AttentionProblem.Given;

/** Attention with each of its features, in every operation and to every order. */
final class AttentionCases {
    private AttentionCases() {}

    static List<Case> all(boolean deep) {
        List<AttentionFeatures> small = Stream.concat(AttentionCatalogue.all(), AttentionCatalogue.types())
                .toList();
        List<AttentionFeatures> types = AttentionCatalogue.types().toList();
        List<AttentionFeatures> few = AttentionCatalogue.few().toList();
        List<AttentionFeatures> windows = AttentionCatalogue.windows();
        List<AttentionFeatures> sizes = AttentionCatalogue.sizes();
        List<AttentionFeatures> further =
                concat(AttentionCatalogue.padded(), deep ? AttentionCatalogue.large() : List.of());
        // Each window and each shape; each size plain in one layout and causal in the other.
        List<AttentionFeatures> fewerWindows = some(windows, 0, 2, 5, 7);
        List<AttentionFeatures> fewerSizes = some(sizes, 0, 3, 4, 7);
        List<AttentionFeatures> second = concat(fewerWindows, fewerSizes, further);
        List<Case> cases = new ArrayList<>();
        cases.addAll(of(
                "attention.forward",
                concat(small, windows, sizes, further, AttentionCatalogue.manyHeads()),
                AttentionProblem::checkForward));
        // The state is the backend's own, and right where the gradient that starts from it is.
        cases.addAll(of("attention.forward", types, "state", AttentionProblem::checkState));
        cases.addAll(of("attention.stateSize", types, AttentionProblem::checkStateSize));
        cases.addAll(of("attention.backward", small, AttentionProblem::checkBackward));
        cases.addAll(of("attention.backward", concat(fewerSizes, further), problem -> problem.checkBackward(true)));
        cases.addAll(alternating("attention.backward", windows, List.of(true, false), AttentionProblem::checkBackward));
        cases.addAll(of("attention.tangent", concat(small, second), AttentionProblem::checkTangent));
        cases.addAll(of("attention.backwardTangent", small, AttentionProblem::checkBackwardTangent));
        cases.addAll(alternating(
                "attention.backwardTangent", second, List.of(Given.values()), AttentionProblem::checkBackwardTangent));
        for (AttentionFeatures half : AttentionCatalogue.halves()) {
            cases.addAll(halves(half));
        }
        List<AttentionFeatures> again = List.of(AttentionCatalogue.windows().get(1));
        cases.addAll(of("attention.backwardTangent", again, "the same bits again", AttentionProblem::checkRepeats));
        for (SeriesRing ring : List.of(SeriesRing.taylor(2), SeriesRing.infinitesimals(2))) {
            cases.addAll(of("attention.series", small, ring + "", problem -> problem.checkSeries(ring)));
        }
        for (SeriesRing ring : List.of(
                SeriesRing.NUMBERS,
                SeriesRing.taylor(3),
                SeriesRing.taylor(4),
                SeriesRing.taylor(8),
                SeriesRing.infinitesimals(3))) {
            cases.addAll(of("attention.series", few, ring + "", problem -> problem.checkSeries(ring)));
        }
        cases.addAll(of("attention.weights", small, AttentionProblem::checkWeights));
        return cases;
    }

    /** Matrix units round the factors of each product to the type, and so does storage the result: four roundings at most. */
    private static List<Case> halves(AttentionFeatures features) {
        double share = features.type() == DType.BF16 ? 0x4p-8 : 0x4p-11;
        List<AttentionFeatures> one = List.of(features);
        List<Case> cases = new ArrayList<>();
        cases.addAll(of("attention.forward", one, AttentionProblem::checkForward));
        cases.addAll(of("attention.backward", one, problem -> problem.checkBackward(true)));
        cases.addAll(
                of("attention.tangent", one, problem -> problem.allowing(share).checkTangent()));
        cases.addAll(of(
                "attention.backwardTangent",
                one,
                problem -> problem.allowing(share).checkBackwardTangent(Given.EVERYTHING)));
        return cases;
    }

    @SafeVarargs
    private static List<AttentionFeatures> concat(List<AttentionFeatures>... lists) {
        List<AttentionFeatures> all = new ArrayList<>();
        for (List<AttentionFeatures> list : lists) {
            all.addAll(list);
        }
        return all;
    }

    /** Those whose index has one of the remainders by 8. */
    private static List<AttentionFeatures> some(List<AttentionFeatures> features, int... remainders) {
        return IntStream.range(0, features.size())
                .filter(i -> IntStream.of(remainders).anyMatch(r -> i % 8 == r))
                .mapToObj(features::get)
                .toList();
    }

    /** One variant of a check for each of the features, in turn. */
    private static <V> List<Case> alternating(
            String operation,
            List<AttentionFeatures> features,
            List<V> variants,
            BiConsumer<AttentionProblem, V> check) {
        List<Case> cases = new ArrayList<>();
        for (AttentionFeatures each : features) {
            V variant = variants.get(cases.size() % variants.size());
            cases.addAll(of(operation, List.of(each), problem -> check.accept(problem, variant)));
        }
        return cases;
    }

    private static List<Case> of(String operation, List<AttentionFeatures> features, Consumer<AttentionProblem> check) {
        return of(operation, features, "", check);
    }

    private static List<Case> of(
            String operation, List<AttentionFeatures> features, String what, Consumer<AttentionProblem> check) {
        return features.stream()
                .map(f -> new Case(
                        operation,
                        what.isEmpty() ? f.toString() : what + " of " + f,
                        p -> check.accept(new AttentionProblem(p, f, 1))))
                .toList();
    }
}
