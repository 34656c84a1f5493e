// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.fovea.env.EnvironmentException;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.InvalidEnvironmentException;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lists the environments. */
@Command(
        name = "envs",
        header = "List the environments, their spaces, and the score that counts as solved.",
        footerHeading = "%nWrappers are written behind a name:%n",
        footer = {
            "  frame_stack=N  time_limit=N  action_repeat=N  sticky_actions=PROBABILITY  reward_scale=FACTOR",
            "  reward_clip=LIMIT  grayscale  downsample=N  flatten, as in fovea train --env",
            "  CartPole-v1+sticky_actions=0.25+frame_stack=4"
        })
final class EnvsCommand implements Runnable {
    /** Environments that differ in these alone are listed together. */
    private static final Pattern LEVEL = Pattern.compile("(Easy|Medium|Hard)-");

    private static final int LEVELS = 3;

    private final Terminal terminal;

    @Option(names = "--json", description = "Print one JSON object, which has them all, each level by itself.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    EnvsCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        if (json) {
            List<Json> all = Environments.all().stream()
                    .map(spec -> {
                        List<String> row = row(spec);
                        return new Json()
                                .with("name", row.get(0))
                                .with("observation", row.get(1))
                                .with("action", row.get(2))
                                .with("solved_at", spec.solvedAt().orElse(Double.NaN))
                                .with("device", spec.deviceForm().isPresent())
                                .with("task", row.get(5));
                    })
                    .toList();
            terminal.out().println(new Json().with("environments", all));
            return;
        }
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("environment", "observation", "action", "solved at", "steps on", "task"));
        Map<String, List<EnvironmentSpec>> groups = new LinkedHashMap<>();
        for (EnvironmentSpec spec : Environments.all()) {
            String group = LEVEL.matcher(spec.name()).replaceFirst("{Easy,Medium,Hard}-");
            groups.computeIfAbsent(group, name -> new ArrayList<>()).add(spec);
        }
        groups.forEach((name, specs) -> {
            if (specs.size() == LEVELS) {
                rows.add(joined(name, specs.stream().map(EnvsCommand::row).toList()));
            } else {
                specs.forEach(spec -> rows.add(row(spec)));
            }
        });
        Table.printWithHeading(terminal, terminal.out(), rows);
    }

    /** What there is to say of several, in one line: each thing once if it is the same of all. */
    private static List<String> joined(String name, List<List<String>> rows) {
        List<String> joined = new ArrayList<>();
        for (int column = 0; column < rows.get(0).size(); column++) {
            int of = column;
            List<String> cells = rows.stream().map(row -> row.get(of)).toList();
            boolean same = cells.stream().distinct().count() == 1;
            joined.add(same ? cells.get(0) : String.join(" / ", cells));
        }
        joined.set(0, name);
        return joined;
    }

    /** What there is to say of one; that it cannot be played, where it cannot, and the others can. */
    private static List<String> row(EnvironmentSpec spec) {
        String solved = spec.solvedAt().isPresent() ? number(spec.solvedAt().getAsDouble()) : "-";
        try {
            EnvironmentSpec.Spaces spaces = spec.spaces();
            spec.closeUnused();
            return List.of(
                    spec.name(),
                    describe(spaces.observations()),
                    describe(spaces.actions()),
                    solved,
                    spec.deviceForm().isPresent() ? "GPU, host" : "host",
                    spec.summary());
        } catch (EnvironmentException | InvalidEnvironmentException e) {
            return List.of(spec.name(), "-", "-", solved, "-", "cannot be played: " + e.getMessage());
        }
    }

    private static String describe(Space space) {
        List<String> parts = new ArrayList<>();
        for (Schema.Leaf leaf : Schema.of(space).leaves()) {
            parts.add((leaf.path().isEmpty() ? "" : leaf.path() + ": ") + describeLeaf(leaf.space()));
        }
        return String.join("; ", parts);
    }

    private static String describeLeaf(Space space) {
        if (space instanceof Space.Discrete discrete) {
            return "one of " + discrete.n();
        }
        if (space instanceof Space.MultiDiscrete multi) {
            long distinct = Arrays.stream(multi.n()).distinct().count();
            if (multi.n().length > 1 && distinct == 1) {
                return multi.n().length + " times one of " + multi.n()[0];
            }
            return "one each of "
                    + Arrays.stream(multi.n()).mapToObj(Integer::toString).collect(Collectors.joining(", "));
        }
        if (space instanceof Space.MultiBinary bits) {
            return bits.n() + " bits";
        }
        if (space instanceof Space.Entities entities) {
            return "up to " + entities.most() + " entities of " + entities.features() + " features";
        }
        if (space instanceof Space.EntityChoice choice) {
            return "one of up to " + choice.most() + " entities";
        }
        if (space instanceof Space.Image image) {
            return image.channels() + " x " + image.height() + " x " + image.width() + " pixels";
        }
        return describeBox((Space.Box) space);
    }

    private static String describeBox(Space.Box box) {
        String numbers = box.size() + (box.size() == 1 ? " number" : " numbers");
        float[] low = box.low();
        float[] high = box.high();
        boolean bounded = false;
        boolean same = true;
        for (int i = 0; i < low.length; i++) {
            bounded |= Float.isFinite(low[i]) || Float.isFinite(high[i]);
            same &= low[i] == low[0] && high[i] == high[0];
        }
        if (!same) {
            return low.length > 2
                    ? numbers + ", each with bounds of its own"
                    : numbers + " in [" + number(low[0]) + ", " + number(high[0]) + "] and [" + number(low[1]) + ", "
                            + number(high[1]) + "]";
        }
        return bounded ? numbers + " in [" + number(low[0]) + ", " + number(high[0]) + "]" : numbers;
    }

    private static String number(double value) {
        return value == Math.rint(value) && Double.isFinite(value)
                ? String.format(Locale.ROOT, "%.0f", value)
                : String.format(Locale.ROOT, "%.4g", value).replaceAll("(\\.\\d*?)0+$", "$1");
    }
}
