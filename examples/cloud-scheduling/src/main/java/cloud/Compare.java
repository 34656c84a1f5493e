// SPDX-License-Identifier: Apache-2.0
package cloud;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

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

    private static void print(String name, List<Outcome> outcomes, List<Outcome> policy) {
        System.out.printf(
                Locale.ROOT,
                "| %s | %s | %s | %s |%n",
                name,
                column("%.3f", outcomes, policy, outcome -> outcome.cost / DataCenter.JOBS),
                column("%.2f", outcomes, policy, Outcome::waited),
                column("%.3f", outcomes, policy, Outcome::objective));
    }

    /** The mean, how much more it is than the policy's, and the standard error of that. */
    private static String column(
            String format, List<Outcome> outcomes, List<Outcome> policy, ToDoubleFunction<Outcome> number) {
        int n = outcomes.size();
        double mean = 0;
        double difference = 0;
        double squares = 0;
        for (int i = 0; i < n; i++) {
            double own = number.applyAsDouble(outcomes.get(i));
            double more = own - number.applyAsDouble(policy.get(i));
            mean += own / n;
            difference += more / n;
            squares += more * more / n;
        }
        String text = String.format(Locale.ROOT, format, mean);
        if (outcomes == policy) {
            return text;
        }
        double error = Math.sqrt((squares - difference * difference) / (n - 1));
        String differing = String.format("%s (%s ± %s)", "%s", format.replace("%", "%+"), format);
        return String.format(Locale.ROOT, differing, text, difference, error);
    }
}
