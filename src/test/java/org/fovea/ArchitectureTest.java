// SPDX-License-Identifier: Apache-2.0
package org.fovea;

import static com.tngtech.archunit.base.DescribedPredicate.alwaysTrue;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** The arrows of the architecture: cli -> rl -> nn, optim, env, io -> attention -> tensor -> backend. */
@AnalyzeClasses(packages = "org.fovea", importOptions = ImportOption.DoNotIncludeTests.class)
final class ArchitectureTest {

    private static final String[] CONTRACT = {
        "org.fovea.backend",
        "org.fovea.backend.memory",
        "org.fovea.backend.math",
        "org.fovea.backend.attention",
        "org.fovea.backend.rl"
    };

    @ArchTest
    static final ArchRule arrowsPointOneWay = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .withOptionalLayers(true)
            .layer("cli")
            .definedBy("org.fovea.cli..")
            .layer("onnx")
            .definedBy("org.fovea.onnx..")
            .layer("dashboard")
            .definedBy("org.fovea.dashboard..")
            .layer("policy")
            .definedBy("org.fovea.policy..")
            .layer("rl")
            .definedBy("org.fovea.rl..")
            .layer("nn")
            .definedBy("org.fovea.nn..")
            .layer("optim")
            .definedBy("org.fovea.optim..")
            .layer("env")
            .definedBy("org.fovea.env..")
            .layer("attentionfile")
            .definedBy("org.fovea.attentionfile..")
            .layer("io")
            .definedBy("org.fovea.io..")
            .layer("attention")
            .definedBy("org.fovea.attention..")
            .layer("tensor")
            .definedBy("org.fovea.tensor..")
            .layer("collective")
            .definedBy("org.fovea.collective..")
            .layer("verify")
            .definedBy("org.fovea.verify..")
            .layer("backend")
            .definedBy("org.fovea.backend..")
            .whereLayer("cli")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("dashboard")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("onnx")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("policy")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("rl")
            .mayOnlyBeAccessedByLayers("onnx", "dashboard", "policy", "cli")
            .whereLayer("nn")
            .mayOnlyBeAccessedByLayers("rl", "onnx", "cli")
            .whereLayer("optim")
            .mayOnlyBeAccessedByLayers("rl", "cli")
            .whereLayer("collective")
            .mayOnlyBeAccessedByLayers("rl", "cli")
            .whereLayer("env")
            .mayOnlyBeAccessedByLayers("rl", "onnx", "dashboard", "policy", "cli")
            .whereLayer("attentionfile")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("verify")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("io")
            .mayOnlyBeAccessedByLayers("attentionfile", "optim", "rl", "onnx", "policy", "cli")
            .whereLayer("attention")
            .mayOnlyBeAccessedByLayers("nn", "rl", "cli")
            .whereLayer("tensor")
            .mayOnlyBeAccessedByLayers("attention", "nn", "optim", "io", "rl", "cli");

    @ArchTest
    static final ArchRule onlyTheCudaBackendKnowsJcuda = noClasses()
            .that()
            .resideOutsideOfPackage("org.fovea.backend.cuda..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("jcuda..");

    /** An optional dependency. */
    @ArchTest
    static final ArchRule onlyNcclKnowsJna = noClasses()
            .that()
            .resideOutsideOfPackage("org.fovea.collective.nccl")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("com.sun.jna..");

    @ArchTest
    static final ArchRule backendStandsAlone = noClasses()
            .that()
            .resideInAPackage("org.fovea.backend..")
            .should()
            .dependOnClassesThat(resideInAPackage("org.fovea..")
                    .and(resideInAPackage("org.fovea.backend..").negate()));

    @ArchTest
    static final ArchRule theBackendContractKnowsNoDevice = noClasses()
            .that()
            .resideInAnyPackage(CONTRACT)
            .should()
            .dependOnClassesThat(resideInAPackage("org.fovea..")
                    .and(resideInAnyPackage(CONTRACT).negate()));

    private static final String[] API = {
        "org.fovea.backend",
        "org.fovea.backend.memory",
        "org.fovea.backend.math",
        "org.fovea.backend.attention",
        "org.fovea.backend.rl",
        "org.fovea.tensor",
        "org.fovea.attention",
        "org.fovea.nn",
        "org.fovea.optim",
        "org.fovea.env",
        "org.fovea.io",
        "org.fovea.policy",
        "org.fovea.cli"
    };

    /** What is public outside of these packages is so for other packages' sake, and may change in any version. */
    @ArchTest
    static final ArchRule apiDependsOnApiAlone = noClasses()
            .that()
            .resideInAnyPackage(API)
            .and()
            .resideOutsideOfPackages("org.fovea.cli", "org.fovea.policy")
            .should()
            .dependOnClassesThat(
                    resideInAPackage("org.fovea..").and(resideInAnyPackage(API).negate()));

    /** Of org.fovea.cli the program itself is API, for those who add environments to it. */
    @ArchTest
    static final ArchRule theCommandLineIsOneClass = classes()
            .that()
            .resideInAPackage("org.fovea.cli")
            .and()
            .doNotHaveFullyQualifiedName("org.fovea.cli.Fovea")
            .should()
            .notBePublic();

    /** The documentation, and the comparison with the last release, leave out what is not API. */
    @ArchTest
    static void thePomNamesWhatIsNotApi(JavaClasses classes) throws IOException {
        String pom = Files.readString(Path.of("pom.xml"));
        List<String> named = Stream.of(pom.replaceFirst("(?s).*<fovea.internal.packages>(.*?)</.*", "$1")
                        .split(","))
                .filter(name -> !name.endsWith(".*"))
                .toList();
        Set<String> packages = new TreeSet<>();
        for (JavaClass type : classes) {
            packages.add(type.getPackageName());
        }
        packages.removeAll(List.of(API));
        assertThat(packages)
                .isNotEmpty()
                .allMatch(name -> named.stream().anyMatch(root -> name.equals(root) || name.startsWith(root + ".")));
        assertThat(named)
                .doesNotContain(API)
                .allMatch(root ->
                        pom.contains(root + "," + root + ".*") && pom.contains("<exclude>" + root + "</exclude>"));
    }

    /** Of a device only its provider is reached, as a service. */
    @ArchTest
    static final ArchRule devicesAreReachedThroughTheContract = noClasses()
            .that()
            .resideOutsideOfPackages("org.fovea.backend.cpu..", "org.fovea.backend.cuda..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.fovea.backend.cpu..", "org.fovea.backend.cuda..");

    @ArchTest
    static final ArchRule nothingIsComputedOnTheReference = noClasses()
            .that()
            .resideOutsideOfPackages("org.fovea.backend.reference..", "org.fovea.verify..", "org.fovea.cli.selftest..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.fovea.backend.reference..");

    @ArchTest
    static final ArchRule noCycles =
            slices().matching("org.fovea.(**)").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule namesSayWhatAClassIs =
            noClasses().that(alwaysTrue()).should().haveNameMatching(".*(Utils?|Helpers?|Managers?)");
}
