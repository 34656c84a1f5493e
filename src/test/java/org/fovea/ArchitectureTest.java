package org.fovea;

import static com.tngtech.archunit.base.DescribedPredicate.alwaysTrue;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

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
            .layer("verify")
            .definedBy("org.fovea.verify..")
            .layer("backend")
            .definedBy("org.fovea.backend..")
            .whereLayer("cli")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("rl")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("nn")
            .mayOnlyBeAccessedByLayers("rl", "cli")
            .whereLayer("optim")
            .mayOnlyBeAccessedByLayers("rl", "cli")
            .whereLayer("env")
            .mayOnlyBeAccessedByLayers("rl", "cli")
            .whereLayer("attentionfile")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("verify")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("io")
            .mayOnlyBeAccessedByLayers("attentionfile", "optim", "rl", "cli")
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

    /** Of a device only its provider is API: what else is public there is so for the rooms beside it. */
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
