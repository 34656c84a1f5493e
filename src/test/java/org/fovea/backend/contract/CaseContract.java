// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.stream.Stream;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.fovea.verify.Case;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.TestAbortedException;

/** The table of cases that {@code fovea selftest} runs too; with larger shapes where FOVEA_DEEP is set. */
interface CaseContract extends ContractFixture {

    @TestFactory
    default Stream<DynamicTest> computesWhatTheReferenceDoes() {
        return Case.all(System.getenv("FOVEA_DEEP") != null).stream()
                .filter(this::takes)
                .map(each -> dynamicTest(each.operation() + ": " + each.name(), () -> {
                    try (Pair pair = pair()) {
                        each.body().accept(pair);
                    } catch (UnsupportedOnBackendException lacking) {
                        throw new TestAbortedException(lacking.getMessage(), lacking);
                    }
                    assertThat(tested().memory().liveBytes())
                            .as("bytes left allocated")
                            .isZero();
                }));
    }
}
