// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** A command of fovea in a process of its own, which ends with the one that started it, however that ends. */
final class FoveaProcess {
    /** More than a final report has. */
    private static final int LINES_KEPT = 10_000;

    private static final long MILLIS_BETWEEN_LOOKS = 200;
    private static final long SECONDS_TO_END = 10;

    /** Loops over vectors, which HotSpot must not inline: the launcher says why. */
    private static final String LOOPS = "org.fovea.backend.cpu.kernels.vector.";

    private final Process process;
    private final Thread reader;
    private final Deque<String> lines = new ArrayDeque<>();

    /** How a command ended: its exit code, and the last lines that it wrote. */
    record End(int code, List<String> lines) {}

    private FoveaProcess(Process process, String prefix) {
        this.process = process;
        reader = new Thread(() -> read(prefix), "output of fovea");
        reader.setDaemon(true);
        reader.start();
    }

    /**
     * Starts one.
     *
     * @param prefix of its lines in the log of this process
     * @param environment variables that it has besides those of this process
     */
    static FoveaProcess start(String prefix, Map<String, String> environment, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("--add-modules", "jdk.incubator.vector", "-Djava.awt.headless=true"));
        command.add("-XX:CompileCommand=quiet");
        for (String loop : List.of("VectorMap", "VectorKernels")) {
            command.add("-XX:CompileCommand=dontinline," + LOOPS + loop + "::*");
        }
        if (Runtime.version().feature() >= 24) {
            command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
        }
        String more = System.getenv().getOrDefault("FOVEA_JAVA_OPTS", "").strip();
        if (!more.isEmpty()) {
            command.addAll(List.of(more.split("\\s+")));
        }
        command.addAll(List.of("-cp", classPath(), AttachedFovea.class.getName()));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        try {
            return new FoveaProcess(builder.start(), prefix);
        } catch (IOException e) {
            throw new UncheckedIOException("java cannot be started: " + command.get(0), e);
        }
    }

    /**
     * Where Fovea's classes are on this machine: in the installation that the environment variable FOVEA_HOME names, else among the jars
     * that came by --jars or --packages, else on the class path.
     */
    static String classPath() {
        Set<String> path = new LinkedHashSet<>();
        path.add(placeOf(AttachedFovea.class));
        String home = System.getenv("FOVEA_HOME");
        if (home != null) {
            boolean isBundle = Files.isDirectory(Path.of(home, "lib"));
            path.add(isBundle ? home + "/lib/*" : home + "/target/fovea.jar:" + home + "/target/lib/*");
            return String.join(File.pathSeparator, path);
        }
        for (ClassLoader loader = Thread.currentThread().getContextClassLoader();
                loader != null;
                loader = loader.getParent()) {
            if (loader instanceof URLClassLoader own && own.findResource("org/fovea/cli/Fovea.class") != null) {
                for (URL url : own.getURLs()) {
                    path.add(file(url));
                }
                return String.join(File.pathSeparator, path);
            }
        }
        if (ClassLoader.getSystemResource("org/fovea/cli/Fovea.class") == null) {
            throw new IllegalStateException(
                    "Fovea's jars are not on this machine: give them to spark-submit by --jars, or install"
                            + " Fovea on every machine and name the directory by --conf spark.executorEnv.FOVEA_HOME=DIR");
        }
        path.add(System.getProperty("java.class.path"));
        return String.join(File.pathSeparator, path);
    }

    private static String placeOf(Class<?> type) {
        return file(type.getProtectionDomain().getCodeSource().getLocation());
    }

    private static String file(URL url) {
        try {
            return Path.of(url.toURI()).toString();
        } catch (URISyntaxException e) {
            throw new IllegalStateException("not a file: " + url, e);
        }
    }

    private void read(String prefix) {
        try (BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                if (line.startsWith("WARNING: Using incubator modules")) {
                    continue;
                }
                System.err.println(prefix + line);
                synchronized (lines) {
                    lines.add(line);
                    if (lines.size() > LINES_KEPT) {
                        lines.remove();
                    }
                }
            }
        } catch (IOException e) {
            // The process is gone, which is found out below.
        }
    }

    /**
     * Waits for its end.
     *
     * @param cancelled when true, the process is told to end, and after some seconds made to
     * @param meanwhile called every now and then
     */
    End await(BooleanSupplier cancelled, Runnable meanwhile) throws InterruptedException {
        try {
            while (!process.waitFor(MILLIS_BETWEEN_LOOKS, TimeUnit.MILLISECONDS) && !cancelled.getAsBoolean()) {
                meanwhile.run();
            }
        } finally {
            end();
        }
        reader.join(TimeUnit.SECONDS.toMillis(1));
        synchronized (lines) {
            return new End(process.exitValue(), List.copyOf(lines));
        }
    }

    private void end() throws InterruptedException {
        if (process.isAlive()) {
            process.destroy();
            if (!process.waitFor(SECONDS_TO_END, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        }
    }
}
