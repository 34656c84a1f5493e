// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.launcher.JavaModuleOptions;

/** A directory as SPARK_HOME is, of Spark's jars, and Spark's processes out of it: what spark-submit and its like run. */
final class SparkInstallation implements AutoCloseable {
    private static final long SECONDS = 100;
    private static final String HOST = "127.0.0.1";

    private final Path home;
    private final Path logs;
    private final List<Process> started = new ArrayList<>();
    private int masterPort;
    private int pagePort;

    SparkInstallation(Path directory) throws IOException {
        home = Path.of("target", "spark-home").toAbsolutePath();
        logs = Files.createDirectories(directory.resolve("logs"));
        Path jars = Files.createDirectories(home.resolve("jars"));
        for (String jar : Files.readString(Path.of(System.getProperty("spark.classpath.file")))
                .split(File.pathSeparator)) {
            Path file = Path.of(jar.strip());
            try {
                Files.createSymbolicLink(jars.resolve(file.getFileName()), file);
            } catch (FileAlreadyExistsException e) {
                // Of the same name.
            }
        }
    }

    /** Fovea's own jars, as spark-submit's --jars takes them. */
    static String foveaJars() throws IOException {
        Path target = Path.of("..", "target");
        assumeTrue(
                Files.exists(target.resolve("fovea.jar")), "target/fovea.jar is not built: mvn -B package -DskipTests");
        try (Stream<Path> lib = Files.list(target.resolve("lib"))) {
            return Stream.concat(Stream.of(target.resolve("fovea.jar")), lib)
                    .map(file -> file.toAbsolutePath().normalize().toString())
                    .collect(Collectors.joining(","));
        }
    }

    private Process start(String log, String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        // As Spark's scripts do.
        command.addAll(List.of(JavaModuleOptions.defaultModuleOptionArray()));
        command.addAll(List.of("-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", home.resolve("jars") + "/*"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.redirectOutput(logs.resolve(log).toFile());
        builder.environment().put("SPARK_HOME", home.toString());
        // As Spark's load-spark-env.sh does.
        builder.environment().put("SPARK_SCALA_VERSION", "2.13");
        builder.environment().put("SPARK_LOCAL_IP", HOST);
        Process process = builder.start();
        started.add(process);
        return process;
    }

    /** Starts a master. */
    void startMaster() throws IOException {
        masterPort = freePort();
        pagePort = freePort();
        start(
                "master",
                "org.apache.spark.deploy.master.Master",
                "--host",
                HOST,
                "--port",
                Integer.toString(masterPort),
                "--webui-port",
                Integer.toString(pagePort));
    }

    /** Starts a worker of two cores. */
    Process startWorker(String name) throws IOException {
        return start(
                name,
                "org.apache.spark.deploy.worker.Worker",
                "--host",
                HOST,
                "--cores",
                "2",
                "--memory",
                "2g",
                "--webui-port",
                "0",
                "--work-dir",
                logs.resolve("work-" + name).toString(),
                master());
    }

    String master() {
        return "spark://" + HOST + ":" + masterPort;
    }

    /** Waits until the master knows so many workers. */
    void awaitWorkers(int count) throws InterruptedException {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + HOST + ":" + pagePort + "/json/"))
                .build();
        await(
                () -> {
                    try {
                        String page = client.send(request, HttpResponse.BodyHandlers.ofString())
                                .body();
                        return page.replace(" ", "").contains("\"aliveworkers\":" + count);
                    } catch (IOException notYet) {
                        return false;
                    }
                },
                "workers");
    }

    /** Something that may hold by and by. */
    interface Condition {
        boolean holds() throws IOException, InterruptedException;
    }

    static void await(Condition condition, String what) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        try {
            while (!condition.holds()) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("waited in vain for " + what);
                }
                Thread.sleep(100);
            }
        } catch (IOException e) {
            throw new AssertionError("waiting for " + what, e);
        }
    }

    /** Submits {@link TrainOnSpark}. */
    Process submit(String log, String master, List<String> settings, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("org.apache.spark.deploy.SparkSubmit", "--master", master));
        List<String> all = new ArrayList<>(List.of(
                "spark.ui.enabled=false",
                "spark.driver.host=" + HOST,
                "spark.driver.bindAddress=" + HOST,
                "spark.local.dir=" + logs));
        all.addAll(settings);
        for (String setting : all) {
            command.addAll(List.of("--conf", setting));
        }
        command.addAll(List.of("--jars", foveaJars(), "--class", "org.fovea.spark.TrainOnSpark"));
        command.add(Path.of("target", "fovea-spark.jar").toAbsolutePath().toString());
        command.addAll(List.of(arguments));
        return start(log, command.toArray(new String[0]));
    }

    String log(String name) throws IOException {
        return Files.readString(logs.resolve(name));
    }

    /** The logs of the executors of all workers. */
    String executorLogs() throws IOException {
        StringBuilder all = new StringBuilder();
        try (Stream<Path> tree = Files.walk(logs)) {
            for (Path file : tree.filter(named("stderr")).toList()) {
                all.append(file).append('\n').append(Files.readString(file));
            }
        }
        return all.toString();
    }

    private static Predicate<Path> named(String name) {
        return file -> file.getFileName().toString().equals(name);
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    @Override
    public void close() throws InterruptedException {
        for (int i = started.size() - 1; i >= 0; i--) {
            started.get(i).destroyForcibly().waitFor();
        }
    }
}
