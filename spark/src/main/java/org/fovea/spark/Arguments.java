// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * What {@link TrainOnSpark} was asked for.
 *
 * @param sweep whether cells of a sweep are trained, each by itself, in place of one run
 * @param ranks number of ranks of a run; 0 in a sweep
 * @param out directory that all machines see, or a URI of Hadoop's file systems
 * @param resume whether the run goes on where it has a checkpoint
 * @param overwrite whether what is there of another run is replaced
 * @param rest what fovea train, or fovea sweep, is told besides
 */
record Arguments(boolean sweep, int ranks, String out, boolean resume, boolean overwrite, List<String> rest)
        implements Serializable {

    static final String USAGE = """
            spark-submit ... --class org.fovea.spark.TrainOnSpark fovea-spark.jar --ranks N --out DIR OPTION_OF_FOVEA_TRAIN...
            spark-submit ... --class org.fovea.spark.TrainOnSpark fovea-spark.jar --sweep --out DIR OPTION_OF_FOVEA_SWEEP...

              --ranks N     train one policy by N ranks, each a task with the cores and the device that Spark gives it
              --sweep       train each run of a sweep as a task of its own; --ranks then says nothing
              --out DIR     the run's directory: one that all machines see, or a URI such as hdfs://host/runs/mine, to which
                            checkpoints are copied
              --resume      go on where DIR has a checkpoint
              --overwrite   replace the run that DIR holds
            """;

    /** @throws IllegalArgumentException in one line that says what is wrong */
    static Arguments parse(String... args) {
        boolean sweep = false;
        boolean resume = false;
        boolean overwrite = false;
        Integer ranks = null;
        String out = null;
        List<String> rest = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--sweep" -> sweep = true;
                case "--resume" -> resume = true;
                case "--overwrite" -> overwrite = true;
                case "--ranks" -> ranks = number(value(args, ++i, "--ranks"));
                case "--out" -> out = value(args, ++i, "--out");
                default -> rest.add(args[i]);
            }
        }
        if (out == null) {
            throw new IllegalArgumentException(
                    "--out is missing: the directory, or URI of Hadoop's file systems, where the run is kept");
        }
        if (sweep && (ranks != null || resume || overwrite)) {
            throw new IllegalArgumentException(
                    "--sweep goes on by itself with what --out holds, one run for each task: leave out --ranks, --resume and --overwrite");
        }
        if (!sweep && ranks == null) {
            throw new IllegalArgumentException("--ranks is missing: how many processes train together");
        }
        if (resume && overwrite) {
            throw new IllegalArgumentException("--resume and --overwrite exclude each other");
        }
        return new Arguments(sweep, ranks == null ? 0 : ranks, out, resume, overwrite, List.copyOf(rest));
    }

    private static String value(String[] args, int index, String option) {
        if (index >= args.length) {
            throw new IllegalArgumentException(option + " needs a value");
        }
        return args[index];
    }

    private static int number(String text) {
        try {
            int ranks = Integer.parseInt(text);
            if (ranks >= 1) {
                return ranks;
            }
        } catch (NumberFormatException none) {
            // As below.
        }
        throw new IllegalArgumentException("--ranks must be a whole number of at least 1, got '" + text + "'");
    }
}
