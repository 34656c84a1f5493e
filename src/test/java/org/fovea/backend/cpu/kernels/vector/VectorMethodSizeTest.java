// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import static com.tngtech.archunit.lang.conditions.ArchConditions.be;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.codeUnits;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import org.junit.jupiter.api.Test;

/**
 * The compiler of JDK 17 has a budget of nodes for a method. Beyond it, it calls vector operations instead of taking them in, and
 * makes objects of their vectors, without a word: with 90 operations in a method it did so in four runs of five and attention
 * ran at three quarters of its speed, with 75 in one of two.
 */
class VectorMethodSizeTest {
    private static final int MOST = 60;

    @Test
    void methodsHaveNoMoreVectorOperationsThanAreCompiledTogether() {
        codeUnits()
                .should(be(DescribedPredicate.describe(
                        "of at most " + MOST + " vector operations", unit -> vectorOperations(unit) <= MOST)))
                .check(new ClassFileImporter().importPackages(VectorMethodSizeTest.class.getPackageName()));
    }

    private static long vectorOperations(JavaCodeUnit unit) {
        return unit.getCallsFromSelf().stream()
                .filter(call -> call.getTargetOwner().getPackageName().equals("jdk.incubator.vector"))
                .count();
    }
}
