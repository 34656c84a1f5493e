// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The support of a virtual machine for the Vector API. Only C2, the optimising compiler of HotSpot, turns its operations into
 * instructions; interpreted, or compiled by anything else, each allocates its result and is slower than a scalar loop.
 */
final class VectorSupport {

    private static final String MODULE = "jdk.incubator.vector";

    private VectorSupport() {}

    /** The reason why vectors are slow or absent, and the remedy. */
    record Obstacle(String reason, String remedy) {}

    /** That of this virtual machine, or null where vectors are fast. */
    static @Nullable Obstacle obstacle() {
        if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
            return new Obstacle(MODULE + " is not there", "start Java with --add-modules " + MODULE);
        }
        return obstacle(System::getProperty, optionsMatter() ? VectorSupport::option : name -> null);
    }

    /** Whether an option was given or a JVMCI compiler is built in. Else options need not be read, which takes 40 ms. */
    private static boolean optionsMatter() {
        if (String.valueOf(System.getProperty("java.vm.version")).contains("jvmci")
                || System.getenv("JAVA_TOOL_OPTIONS") != null
                || System.getenv("JDK_JAVA_OPTIONS") != null
                || System.getenv("_JAVA_OPTIONS") != null) {
            return true;
        }
        try {
            String line = Files.readString(Path.of("/proc/self/cmdline"), StandardCharsets.ISO_8859_1);
            return line.contains("-XX:") || line.contains("\0@");
        } catch (IOException e) {
            return true;
        }
    }

    /** That of a virtual machine with these system properties and options, which are null where there is none of a name. */
    static @Nullable Obstacle obstacle(
            UnaryOperator<@Nullable String> properties, UnaryOperator<@Nullable String> options) {
        String machine = properties.apply("java.vm.name");
        if (machine == null || !machine.endsWith("Server VM")) {
            return new Obstacle(
                    "the virtual machine is " + machine + ", whose compiler is not HotSpot's C2",
                    "use a build of OpenJDK with HotSpot");
        }
        String level = options.apply("TieredStopAtLevel");
        // Names the compilers where the options can't be read.
        String info = String.valueOf(properties.apply("java.vm.info"));
        if (info.contains("interpreted")
                || info.contains("emulated-client")
                || "false".equals(options.apply("UseCompiler"))
                || level != null && !level.equals("4")) {
            return new Obstacle(
                    "the C2 compiler is off",
                    "start Java without -Xint, -XX:TieredStopAtLevel, -XX:CompilationMode=quick-only and -XX:-UseCompiler");
        }
        if ("true".equals(options.apply("UseJVMCICompiler"))) {
            return new Obstacle(
                    "a JVMCI compiler, such as Graal, stands in for C2", "start Java with -XX:-UseJVMCICompiler");
        }
        if ("false".equals(options.apply("EnableVectorSupport"))) {
            return new Obstacle("the option EnableVectorSupport is off", "start Java without -XX:-EnableVectorSupport");
        }
        return null;
    }

    /** An option of this virtual machine; null where it has none of that name, or nothing that tells. */
    private static @Nullable String option(String name) {
        try {
            HotSpotDiagnosticMXBean options = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
            return options == null ? null : options.getVMOption(name).getValue();
        } catch (IllegalArgumentException | LinkageError e) {
            // The second where the module jdk.management was left out of the image.
            return null;
        }
    }
}
