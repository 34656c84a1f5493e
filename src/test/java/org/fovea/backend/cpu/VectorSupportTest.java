// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Virtual machines on which vectors are refused: those at hand are started, the others are told by what they would say. */
final class VectorSupportTest {
    private static final String HOTSPOT = "OpenJDK 64-Bit Server VM";
    private static final String MIXED = "mixed mode, sharing";

    /** Prints which kernels a virtual machine gets; a warning goes to its standard error. */
    static final class Choice {
        private Choice() {}

        public static void main(String[] arguments) {
            System.out.println(KernelChoice.KERNELS.description());
        }
    }

    @Tag("integration")
    @ParameterizedTest
    @CsvSource({
        "-Xint, the C2 compiler is off; start Java without -Xint",
        "-XX:TieredStopAtLevel=0, the C2 compiler is off; start Java without -Xint",
        "-XX:TieredStopAtLevel=1, the C2 compiler is off; start Java without -Xint",
        "-XX:TieredStopAtLevel=3, the C2 compiler is off; start Java without -Xint",
        "-XX:CompilationMode=quick-only, the C2 compiler is off; start Java without -Xint",
        "-XX:-UseCompiler, the C2 compiler is off; start Java without -Xint",
        "-XX:+UnlockExperimentalVMOptions -XX:-EnableVectorSupport, the option EnableVectorSupport is off; start Java",
        "-XX:TieredStopAtLevel=1 --limit-modules=java.logging, the C2 compiler is off; start Java without -Xint"
    })
    void slowOnesAreRefusedWithOneWarning(String options, String warning) throws IOException, InterruptedException {
        List<String> printed = choice("--add-modules jdk.incubator.vector " + options);
        assertThat(printed).endsWith("scalar");
        assertThat(printed)
                .filteredOn(line -> line.contains("scalar code"))
                .singleElement()
                .asString()
                .contains("several times slower: " + warning);
    }

    @Tag("integration")
    @Test
    void theModuleIsAskedFor() throws IOException, InterruptedException {
        assertThat(choice("-Xshare:auto"))
                .endsWith("scalar")
                .anyMatch(line -> line.endsWith(
                        "jdk.incubator.vector is not there; start Java with --add-modules jdk.incubator.vector"));
    }

    @Tag("integration")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "-XX:+TieredCompilation",
                "-XX:-TieredCompilation",
                "-XX:+UnlockExperimentalVMOptions -XX:+EnableJVMCI",
                // An image that lacks the module by which options are read.
                "--limit-modules=java.logging"
            })
    void fastOnesGetVectors(String options) throws IOException, InterruptedException {
        assertThat(choice("--add-modules jdk.incubator.vector " + options))
                .noneMatch(line -> line.contains("scalar"))
                .anyMatch(line -> line.endsWith(" lanes"));
    }

    /** What a virtual machine prints that is started with these options. */
    private static List<String> choice(String options) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>();
        line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        line.addAll(List.of(options.split(" ")));
        line.addAll(List.of("-cp", System.getProperty("java.class.path"), Choice.class.getName()));
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(printed).isZero();
        return printed.lines().toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Eclipse OpenJ9 VM", "Substrate VM", "Zing 64-Bit Tiered VM", "OpenJDK 64-Bit Zero VM"})
    void otherVirtualMachinesAreRefused(String name) {
        assertThat(reason(name, MIXED, Map.of())).contains(name).contains("not HotSpot's C2");
    }

    @Test
    void otherCompilersAreRefused() {
        assertThat(reason(HOTSPOT, MIXED, Map.of("TieredStopAtLevel", "4", "UseJVMCICompiler", "true")))
                .contains("Graal");
    }

    @Test
    void whatCannotBeReadIsNoObstacle() {
        assertThat(reason(HOTSPOT, MIXED, Map.of())).isEmpty();
        assertThat(reason(
                        "Java HotSpot(TM) 64-Bit Server VM",
                        "mixed mode, sharing",
                        Map.of("UseCompiler", "true", "TieredStopAtLevel", "4", "UseJVMCICompiler", "false")))
                .isEmpty();
    }

    private static String reason(String name, String info, Map<String, String> options) {
        VectorSupport.Obstacle obstacle =
                VectorSupport.obstacle(Map.of("java.vm.name", name, "java.vm.info", info)::get, options::get);
        return obstacle == null ? "" : obstacle.reason();
    }
}
