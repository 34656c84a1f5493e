// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaSparkContext;
import scala.reflect.ClassTag;

/**
 * The application for spark-submit that trains a policy by several ranks, or the runs of a sweep: {@code --help} tells how. Exit codes are those of
 * fovea.
 */
public final class TrainOnSpark {
    private static final int FAILED = 1;
    private static final int USAGE = 2;
    private static final Pattern CELL = Pattern.compile("v\\d+-seed-?\\d+");

    private final Arguments arguments;
    private final JavaSparkContext spark;
    private final PrintStream out;

    private TrainOnSpark(Arguments arguments, JavaSparkContext spark, PrintStream out) {
        this.arguments = arguments;
        this.spark = spark;
        this.out = out;
    }

    /** Trains, and exits with the code. */
    public static void main(String... args) throws IOException, InterruptedException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        if (List.of(args).contains("--help")) {
            out.print(Arguments.USAGE);
            return;
        }
        Arguments arguments;
        try {
            arguments = Arguments.parse(args);
        } catch (IllegalArgumentException e) {
            System.err.println("fovea: " + e.getMessage());
            System.exit(USAGE);
            return;
        }
        int code;
        try (JavaSparkContext spark = new JavaSparkContext(configuration(arguments))) {
            code = new TrainOnSpark(arguments, spark, out).run();
        }
        if (code != 0) {
            System.exit(code);
        }
    }

    private static SparkConf configuration(Arguments arguments) {
        return new SparkConf()
                .setIfMissing("spark.app.name", arguments.sweep() ? "fovea sweep" : "fovea train")
                // A stage that finds fewer cores than ranks waits for executors to come, and looks for them as often.
                .setIfMissing("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s")
                .setIfMissing("spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", "60");
    }

    private int run() throws IOException, InterruptedException {
        try {
            return arguments.sweep() ? sweep() : train();
        } catch (Exception e) {
            // From Scala, which declares no exceptions.
            if (e instanceof SparkException) {
                System.err.println("fovea: "
                        + String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString()));
                return FAILED;
            }
            throw e;
        }
    }

    private int train() {
        spark.sc().addSparkListener(new StageReport(System.err));
        List<Integer> ranks = IntStream.range(0, arguments.ranks()).boxed().toList();
        List<String> ends = spark.parallelize(ranks, ranks.size())
                .rdd()
                .barrier()
                .mapPartitions(new RankTask(arguments), false, ClassTag.apply(String.class))
                .toJavaRDD()
                // Spark starts only such a barrier stage again whose results go to another one.
                .repartition(1)
                .collect();
        List<String[]> parts = ends.stream().map(end -> end.split("\n", 3)).toList();
        parts.stream().filter(end -> end[0].equals("0")).forEach(end -> out.println(end[2]));
        return parts.stream()
                .mapToInt(end -> Integer.parseInt(end[1]))
                .filter(code -> code != 0)
                .findFirst()
                .orElse(0);
    }

    private int sweep() throws IOException, InterruptedException {
        Path scratch = Files.createTempDirectory("fovea-sweep");
        Configuration hadoop = spark.hadoopConfiguration();
        try (RunDirectory directory = RunDirectory.open(arguments.out(), scratch, hadoop)) {
            List<String> left = new ArrayList<>(cells(directory));
            int all = left.size();
            if (all == 0) {
                return USAGE;
            }
            Path results = Files.createDirectories(directory.local().resolve("cells"));
            left.removeIf(cell -> Files.exists(results.resolve(cell + ".json")));
            out.println("fovea: " + left.size() + " of " + all + " runs are left, each a task of its own");
            if (!left.isEmpty()) {
                for (String end : spark.parallelize(left, left.size())
                        .map(new CellTask(arguments))
                        .collect()) {
                    String[] parts = end.split("\n", 2);
                    if (parts[1].isEmpty()) {
                        System.err.println("fovea: " + parts[0] + " failed; the log of its executor says why");
                    } else {
                        Files.writeString(results.resolve(parts[0] + ".json"), parts[1]);
                    }
                }
            }
            int code = report(directory, results);
            directory.send();
            return code;
        } finally {
            Files.deleteIfExists(scratch);
        }
    }

    /** The names of all runs of the sweep. What fovea refuses is told. */
    private List<String> cells(RunDirectory directory) throws InterruptedException {
        List<String> lines = fovea(directory, "--list").lines();
        List<String> cells = lines.stream().filter(CELL.asMatchPredicate()).toList();
        if (cells.isEmpty()) {
            lines.forEach(System.err::println);
        }
        return cells;
    }

    /** Prints the table of what has a result; a run that has none is not trained here. */
    private int report(RunDirectory directory, Path results) throws IOException, InterruptedException {
        String done;
        try (var files = Files.list(results)) {
            done = files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".json"))
                    .sorted()
                    .findFirst()
                    .orElse("");
        }
        if (done.isEmpty()) {
            System.err.println("fovea: no run of the sweep has a result");
            return FAILED;
        }
        FoveaProcess.End end = fovea(directory, "--only", done.substring(0, done.length() - ".json".length()));
        end.lines().forEach(out::println);
        return end.code();
    }

    private FoveaProcess.End fovea(RunDirectory directory, String... more) throws InterruptedException {
        List<String> command = new ArrayList<>(List.of("sweep"));
        command.addAll(arguments.rest());
        command.addAll(List.of("--out", directory.local().toString()));
        command.addAll(List.of(more));
        return FoveaProcess.start("", Map.of(), command).await(() -> false, () -> {});
    }
}
