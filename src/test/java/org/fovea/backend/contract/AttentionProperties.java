// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import java.util.function.Consumer;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterProperty;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;

/** Attentions with features at random, on a backend and by the reference. */
abstract class AttentionProperties {
    private final Backend tested = open();
    private final Backend reference = new ReferenceBackend();

    abstract Backend open();

    /** Of the sizes and types that the backend is to be tried with. */
    abstract Arbitrary<AttentionFeatures> drawn();

    @Provide
    Arbitrary<AttentionFeatures> features() {
        return drawn();
    }

    @Provide
    Arbitrary<SeriesRing> rings() {
        return Arbitraries.of(
                SeriesRing.taylor(1),
                SeriesRing.taylor(2),
                SeriesRing.taylor(3),
                SeriesRing.infinitesimals(1),
                SeriesRing.infinitesimals(2));
    }

    @AfterProperty
    void close() {
        tested.close();
        reference.close();
    }

    private void check(AttentionFeatures features, long seed, Consumer<AttentionProblem> check) {
        check(tested, features, seed, check);
    }

    private void check(Backend backend, AttentionFeatures features, long seed, Consumer<AttentionProblem> check) {
        try (Pair p = new Pair(backend, reference)) {
            check.accept(new AttentionProblem(p, features, seed));
        }
    }

    void firstOrder(AttentionFeatures features, long seed) {
        firstOrder(tested, features, seed);
    }

    void firstOrder(Backend backend, AttentionFeatures features, long seed) {
        check(backend, features, seed, problem -> {
            problem.checkForward();
            problem.checkBackward();
            problem.checkWeights();
        });
    }

    void secondOrder(AttentionFeatures features, long seed) {
        check(features, seed, problem -> {
            problem.checkTangent();
            problem.checkBackwardTangent();
            problem.checkAgainstSeries();
        });
    }

    void series(AttentionFeatures features, SeriesRing ring, long seed) {
        check(features, seed, problem -> problem.checkSeries(ring));
    }
}
