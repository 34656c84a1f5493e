// SPDX-License-Identifier: Apache-2.0
package org.fovea.docs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.fovea.Javac;
import org.fovea.cli.DocumentedCommand;
import org.fovea.cli.DocumentedCommand.Outcome;
import org.fovea.docs.BlockRules.Rule;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every block of code in README.md and docs is compiled, every command run with shorter work, by the rules of {@code blocks.txt}; what
 * cannot be is counted there by its reason.
 */
@Tag("integration")
class DocumentationTest {
    private static final List<String> OF_BLOCKS = List.of("text", "excerpt", "java", "class", "config", "elsewhere");
    private static final List<String> OF_COMMANDS = List.of("needs", "javac", "program", "serve", "get", "run");

    /** Work of a moment, in place of what a command of training asks for, or beside it. */
    private static final Map<String, String> SHORT_TRAINING = new LinkedHashMap<>(
            Map.of("--steps", "32", "--envs", "2", "--final-episodes", "1", "--eval-episodes", "1", "--threads", "1"));

    private static final List<String> SHORT_SETTINGS = List.of("rollout_steps=16", "width=8", "minibatches=1");
    private static final Pattern CLASS = Pattern.compile("(?m)^(?:public )?(?:final )?class (\\w+)");

    @TempDir
    private static Path directory;

    private static Process server;
    private static int port;

    @TestFactory
    Stream<DynamicTest> everyBlockIsTried() throws IOException {
        BlockRules rules = BlockRules.read();
        List<DynamicTest> tests = new ArrayList<>();
        Map<String, Integer> notRun = new TreeMap<>();
        for (Path page : CodeBlock.pages()) {
            for (CodeBlock block : CodeBlock.of(page)) {
                Rule ofBlock = rules.of(block.firstLine(), OF_BLOCKS).orElse(null);
                if (ofBlock != null) {
                    tests.add(DynamicTest.dynamicTest(block.place(), () -> tryBlock(block, ofBlock)));
                    continue;
                }
                for (String command : block.commands()) {
                    Rule rule = rules.of(command, OF_COMMANDS).orElse(null);
                    if (rule != null && rule.action().equals("needs")) {
                        notRun.merge(rule.argument(), 1, Integer::sum);
                    } else {
                        tests.add(DynamicTest.dynamicTest(
                                block.place() + " " + command, () -> tryCommand(block, command, rule)));
                    }
                }
            }
        }
        notRun.forEach((reason, count) -> System.out.println(
                "[fovea] commands of the documentation that are not run: " + count + ", which need " + reason));
        return tests.stream();
    }

    private static void tryBlock(CodeBlock block, Rule rule) throws Exception {
        switch (rule.action()) {
            case "excerpt" -> {
                List<String> source = Files.readAllLines(Path.of(rule.argument())).stream()
                        .map(DocumentationTest::bare)
                        .toList();
                assertThat(block.text()
                                .lines()
                                .map(DocumentationTest::bare)
                                .filter(line -> !line.matches("|\\.\\.\\.|}")))
                        .as("lines of %s", rule.argument())
                        .isSubsetOf(source);
            }
            case "java" -> {
                String template = Files.readString(
                        Path.of("src/test/resources/org/fovea/docs/templates", rule.argument() + ".java.txt"));
                Path classes = compile(rule.argument(), template.replace("BLOCK", block.text()));
                if (template.contains("void main(")) {
                    runMain(classes, rule.argument());
                }
            }
            case "class" -> compile(className(block), block.text());
            case "config" -> {
                Path file = Files.writeString(directory.resolve("block.yaml"), block.text());
                runHere("./fovea train --config " + file, "");
            }
            default -> {
                // Text, and what other tests try.
            }
        }
    }

    /** Without what an excerpt may have otherwise: comments, and how far a line is indented. */
    private static String bare(String line) {
        return line.replaceFirst("\\s*//.*", "").strip();
    }

    private static String className(CodeBlock block) {
        Matcher matcher = CLASS.matcher(block.text());
        assertThat(matcher.find()).as("a class in %s", block.place()).isTrue();
        return matcher.group(1);
    }

    private static Path compile(String name, String source) throws IOException {
        Path classes = Files.createDirectories(directory.resolve("classes"));
        Path file = Files.writeString(directory.resolve(name + ".java"), source);
        Javac.compile(classes, file);
        return classes;
    }

    private static String classPath() {
        return directory.resolve("classes") + ":" + System.getProperty("java.class.path");
    }

    private static void runMain(Path classes, String name) throws Exception {
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {classes.toUri().toURL()})) {
            loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
        }
    }

    private static void tryCommand(CodeBlock block, String command, Rule rule) throws Exception {
        assertThat(rule)
                .as("a rule of blocks.txt for the command '%s' in %s, or for its block", command, block.place())
                .isNotNull();
        switch (rule.action()) {
            case "javac" -> {
                Matcher file = Pattern.compile("(\\w+)\\.java").matcher(command);
                assertThat(file.find()).isTrue();
                assertThat(directory.resolve(file.group(1) + ".java"))
                        .as("a block before it with the class %s", file.group(1))
                        .exists();
            }
            case "program" -> runProgram(command);
            case "serve" -> serve(command);
            case "get" -> get(command);
            default -> runHere(command, rule.argument());
        }
    }

    private static void runHere(String command, String more) throws IOException {
        for (String part : command.split("&&")) {
            List<String> words = words(part.strip());
            words.remove(0);
            List<String> added = words(more);
            for (int i = 0; i < added.size(); i += 2) {
                put(words, added.get(i), added.get(i + 1));
            }
            Outcome result = run(shortened(words));
            assertThat(result.exitCode())
                    .as("%s, run as %s: %s", part, shortened(words), result.err())
                    .isZero();
        }
    }

    /** A class of a block before it, or fovea with such a class on its path. */
    private static void runProgram(String command) throws IOException, InterruptedException {
        List<String> line = program(command);
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as("%s%n%s", line, output).isZero();
    }

    private static List<String> program(String command) throws IOException {
        List<String> words = words(command.replaceFirst("^FOVEA_CLASSPATH=\\S+ ", "")
                .replaceFirst("^java (--add-modules \\S+ )?-cp \\S+ ", "--main "));
        if (words.get(0).endsWith("fovea")) {
            words.remove(0);
        }
        String main = "org.fovea.cli.Fovea";
        if (words.get(0).equals("--main")) {
            main = words.get(1);
            words = words.subList(2, words.size());
        }
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Djava.awt.headless=true",
                "-cp",
                classPath(),
                main));
        line.addAll(shortened(words));
        return line;
    }

    /** A program that answers on a port, its last argument, until the test ends; of a free one here. */
    private static void serve(String command) throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        List<String> line = program(command.replaceFirst("\\s*&$", "").replaceFirst("\\d+$", Integer.toString(port)));
        server = new ProcessBuilder(line).inheritIO().start();
    }

    private static void get(String command) throws Exception {
        String address = words(command).get(1).replaceFirst(":\\d+", ":" + port);
        HttpRequest request = HttpRequest.newBuilder(URI.create(address)).build();
        for (int attempt = 0; ; attempt++) {
            try {
                HttpResponse<String> answer =
                        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
                assertThat(answer.statusCode()).isEqualTo(200);
                assertThat(answer.body()).isNotEmpty();
                return;
            } catch (ConnectException notYet) {
                assertThat(server.isAlive()).as("the server of %s", command).isTrue();
                assertThat(attempt).as("attempts to reach %s", address).isLessThan(300);
                Thread.sleep(200);
            }
        }
    }

    @AfterAll
    static void endServer() {
        if (server != null) {
            server.destroyForcibly();
        }
    }

    /** Nothing is read: standard input belongs to whoever runs the tests. */
    private static Outcome run(List<String> words) {
        InputStream in = System.in;
        System.setIn(InputStream.nullInputStream());
        try {
            return DocumentedCommand.run(words);
        } finally {
            System.setIn(in);
        }
    }

    /** The same with less to do, and nothing left behind outside of the test's directory. */
    private static List<String> shortened(List<String> given) throws IOException {
        List<String> words = new ArrayList<>();
        for (String word : given) {
            if (words.isEmpty() && !word.contains("/")) {
                words.add(word);
                continue;
            }
            words.add(
                    word.matches("(runs|curves|map|target|docs/results)([/.].*)?")
                                    || word.matches("\\w+\\.(png|svg|yaml|onnx|safetensors)")
                            ? directory.resolve(word).toString()
                            : word);
        }
        if (words.isEmpty()) {
            return words;
        }
        String name = words.get(0);
        boolean isHelp = words.contains("help") || words.contains("--help");
        boolean isResumed = words.contains("--resume");
        if (name.equals("train") && !isHelp && !isResumed) {
            SHORT_TRAINING.forEach((option, value) -> put(words, option, value));
            if (words.contains("Thermostat")) {
                // Two of its episodes.
                put(words, "--steps", "192");
            }
            if (words.contains("--eval-every")) {
                put(words, "--eval-every", "32");
            }
            // A value of trpo's is called otherwise.
            for (String setting : SHORT_SETTINGS) {
                if (!setting.startsWith("minibatches") || !words.contains("trpo")) {
                    words.addAll(List.of("--set", setting));
                }
            }
            if (!words.contains("--out")) {
                words.addAll(List.of(
                        "--out",
                        Files.createTempDirectory(directory, "run")
                                .resolve("run")
                                .toString()));
            } else {
                words.add("--overwrite");
            }
        } else if (name.equals("sweep") && !isHelp) {
            put(words, "--steps", "32");
            put(words, "--envs", "2");
            put(words, "--seeds", "1");
            put(words, "--episodes", "1");
            put(words, "--jobs", "1");
            if (words.contains("--random")) {
                put(words, "--random", "2");
            }
            words.addAll(List.of("--set", "rollout_steps=16", "--set", "width=8"));
            put(words, "--out", Files.createTempDirectory(directory, "sweep").toString());
        } else if (name.equals("suite")) {
            put(words, "--out", Files.createTempDirectory(directory, "suite").toString());
        } else if (isResumed) {
            makeRun(Path.of(words.get(words.indexOf("--out") + 1)));
            put(words, "--steps", "64");
            put(words, "--final-episodes", "1");
        }
        if (name.equals("eval")) {
            put(words, "--episodes", "1");
        }
        if (name.equals("runs")) {
            words.add(1, directory.resolve("runs").toString());
        }
        for (String word : words.subList(1, words.size())) {
            if (word.startsWith(directory.resolve("runs") + "/") && !name.equals("train")) {
                makeRun(Path.of(word.endsWith(".yaml") ? word.substring(0, word.lastIndexOf('/')) : word));
            }
            if (word.equals(directory.resolve("runs").toString())) {
                makeRun(directory.resolve("runs/first"));
            }
            if (name.equals("train") && word.endsWith("/config.yaml")) {
                makeRun(Path.of(word).getParent());
            }
        }
        return words;
    }

    /** A run that an earlier command of the page may have made. */
    private static void makeRun(Path run) throws IOException {
        if (!Files.exists(run)) {
            Outcome result = run(shortened(List.of(
                    "train", "--out", run.toString(), "--eval-every", "32", "--quiet", "--json", "--backend", "cpu")));
            assertThat(result.exitCode()).as(result.err()).isZero();
        }
    }

    private static void put(List<String> words, String option, String value) {
        int at = words.indexOf(option);
        if (at >= 0) {
            words.set(at + 1, value);
        } else {
            words.addAll(List.of(option, value));
        }
    }

    /** As a shell splits a line, whose quotes are not within words. */
    private static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        Matcher matcher = Pattern.compile("\"([^\"]*)\"|'([^']*)'|(\\S+)").matcher(line);
        while (matcher.find()) {
            words.add(Stream.of(matcher.group(1), matcher.group(2), matcher.group(3))
                    .filter(word -> word != null)
                    .findFirst()
                    .orElseThrow());
        }
        return words;
    }
}
