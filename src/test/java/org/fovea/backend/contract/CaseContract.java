// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.stream.Stream;
import org.fovea.verify.Case;
import org.fovea.verify.Pair;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of cases that {@code fovea selftest} runs too; with larger shapes where FOVEA_DEEP is set. */
interface CaseContract extends ContractFixture {

    static Stream<Case> table() {
        return Case.all(System.getenv("FOVEA_DEEP") != null).stream();
    }

    @ParameterizedTest
    @MethodSource("org.fovea.backend.contract.CaseContract#table")
    default void computesWhatTheReferenceDoes(Case each) {
        assumeTrue(takes(each), "tried elsewhere, or too slow here");
        try (Pair pair = pair()) {
            each.body().accept(pair);
        }
    }
}
