// SPDX-License-Identifier: Apache-2.0
package cloud;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Compares what a policy's episodes came to with the usual rules on the same seeds; without a file, the rules alone. */
public final class Compare {
    private Compare() {}

    private record Outcome(long seed, double cost, double waited, double objective) {}

    public static void main(String[] arguments) throws IOException {
        List<Outcome> policy = new ArrayList<>();
        if (arguments.length > 0) {
            for (String line : Files.readAllLines(Path.of(arguments[0]))) {
                String[] parts = line.split(",");
                policy.add(new Outcome(
                        Long.parseLong(parts[0]),
                        Double.parseDouble(parts[1]),
                        Double.parseDouble(parts[2]),
                        Double.parseDouble(parts[3])));
            }
        } else {
            for (long seed = 0; seed < 50; seed++) {
                policy.add(new Outcome(seed, 0, 0, 0));
            }
        }
        System.out.printf("%d episodes of %d jobs%n%n", policy.size(), DataCenter.JOBS);
        System.out.println("| placement | cost, cents a job | wait, seconds a job | objective, cents a job |");
        System.out.println("|---|---|---|---|");
        if (arguments.length > 0) {
            print("Fovea", policy, policy);
        }
        Placement.rules().forEach((name, rule) -> {
            List<Outcome> outcomes = new ArrayList<>();
            for (Outcome same : policy) {
                DataCenter center = new DataCenter(same.seed, rule.apply(same.seed), cents -> {});
                center.run();
                outcomes.add(new Outcome(same.seed, center.cost(), center.meanWait(), center.objective()));
            }
            print(name, outcomes, policy);
        });
    }

    /** With the standard error of the difference to the policy. */
    private static void print(String name, List<Outcome> outcomes, List<Outcome> policy) {
        int n = outcomes.size();
        double cost = 0;
        double wait = 0;
        double objective = 0;
        double difference = 0;
        double squares = 0;
        for (int i = 0; i < n; i++) {
            cost += outcomes.get(i).cost / DataCenter.JOBS / n;
            wait += outcomes.get(i).waited / n;
            objective += outcomes.get(i).objective / n;
            double more = outcomes.get(i).objective - policy.get(i).objective;
            difference += more / n;
            squares += more * more / n;
        }
        double error = Math.sqrt((squares - difference * difference) / n);
        System.out.printf(
                Locale.ROOT,
                "| %s | %.3f | %.1f | %.3f%s |%n",
                name,
                cost,
                wait,
                objective,
                outcomes == policy ? "" : String.format(Locale.ROOT, " (%+.3f ± %.3f)", difference, error));
    }
}
