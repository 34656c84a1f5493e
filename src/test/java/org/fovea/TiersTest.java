// SPDX-License-Identifier: Apache-2.0
package org.fovea;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import org.junit.jupiter.api.Tag;

/** The tag of tests that mvn test leaves to mvn verify. */
@AnalyzeClasses(packages = "org.fovea", importOptions = ImportOption.OnlyIncludeTests.class)
final class TiersTest {

    @ArchTest
    static final ArchRule simulatorAndProcessesWaitForTheSecondTier = noClasses()
            .that()
            .haveSimpleNameEndingWith("Test")
            .and()
            .areTopLevelClasses()
            .and()
            .areNotAnnotatedWith(Tag.class)
            .and()
            .areNotAnnotatedWith(net.jqwik.api.Tag.class)
            .should()
            .dependOnClassesThat()
            .haveNameMatching("org\\.fovea\\.(backend\\.cuda\\.Simulator|cli\\.Jvm|cli\\.Program)")
            .as("tests of the simulator or of processes have the tag integration");
}
