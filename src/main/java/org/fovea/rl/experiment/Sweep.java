// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.fovea.rl.run.RunSpec;

/**
 * Settings that are varied: every combination of the values given for them, or some that are drawn.
 *
 * @param variants what is set in each, by name
 */
public record Sweep(List<Map<String, String>> variants) {
    private static final Map<String, String> SHORT_NAMES = Map.of("lr", "learning_rate");

    private static final int MOST_VARIANTS = 10_000;

    /** Settings of a run besides its hyper-parameters. */
    private static final List<String> OF_RUN = List.of("steps", "envs");

    /** A setting and what it may be: one of some values, or a number from a range. */
    private record Axis(
            String name, List<String> values, double low, double high, boolean isLogarithmic, boolean isWhole) {
        boolean isRange() {
            return values.isEmpty();
        }

        String draw(SplittableRandom random) {
            if (!isRange()) {
                return values.get(random.nextInt(values.size()));
            }
            double share = random.nextDouble();
            double value = isLogarithmic ? low * Math.pow(high / low, share) : low + share * (high - low);
            return isWhole ? Long.toString(Math.round(value)) : String.format(Locale.ROOT, "%.3g", value);
        }
    }

    /**
     * Every combination of the values given.
     *
     * @param axes texts {@code name=value,value}
     * @param base that the settings are varied of
     * @throws IllegalArgumentException if one is not so, or names nothing that can be set, or has a value that cannot be
     */
    public static Sweep grid(List<String> axes, RunSpec base) {
        List<Axis> parsed = parse(axes, base);
        List<Map<String, String>> variants = List.of(Map.of());
        for (Axis axis : parsed) {
            if (axis.isRange()) {
                throw new IllegalArgumentException(
                        axis.name + " has a range, from which values are drawn: say how many by --random N");
            }
            if ((long) variants.size() * axis.values.size() > MOST_VARIANTS) {
                throw new IllegalArgumentException("these are more than " + MOST_VARIANTS
                        + " combinations: give fewer values, or draw some by --random N");
            }
            List<Map<String, String>> longer = new ArrayList<>();
            for (Map<String, String> variant : variants) {
                for (String value : axis.values) {
                    Map<String, String> with = new LinkedHashMap<>(variant);
                    with.put(axis.name, value);
                    longer.add(with);
                }
            }
            variants = longer;
        }
        return new Sweep(checked(variants, base));
    }

    /**
     * Combinations that are drawn; the same seed draws the same.
     *
     * @param axes texts {@code name=value,value}, {@code name=low..high} or {@code name=log:low..high}
     */
    public static Sweep random(List<String> axes, int count, long seed, RunSpec base) {
        if (count < 1 || count > MOST_VARIANTS) {
            throw new IllegalArgumentException(
                    "the number of combinations to draw must be from 1 to " + MOST_VARIANTS + ", got " + count);
        }
        List<Axis> parsed = parse(axes, base);
        SplittableRandom random = new SplittableRandom(seed);
        List<Map<String, String>> variants = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Map<String, String> variant = new LinkedHashMap<>();
            for (Axis axis : parsed) {
                variant.put(axis.name, axis.draw(random));
            }
            variants.add(variant);
        }
        return new Sweep(checked(variants, base));
    }

    /** The cells of all variants, each with {@code seeds} seeds from that of the base on. */
    public List<Cell> cells(RunSpec base, int seeds, Function<RunSpec, RunSpec> fit) {
        if (seeds < 1) {
            throw new IllegalArgumentException("seeds must be at least 1, got " + seeds);
        }
        int digits = Integer.toString(variants.size()).length();
        List<Cell> cells = new ArrayList<>();
        for (int variant = 0; variant < variants.size(); variant++) {
            RunSpec spec = fit.apply(varied(base, variants.get(variant)));
            String group = String.format(Locale.ROOT, "v%0" + digits + "d", variant + 1);
            for (int seed = 0; seed < seeds; seed++) {
                cells.add(new Cell(group, spec.withSeed(base.seed() + seed)));
            }
        }
        return cells;
    }

    private static RunSpec varied(RunSpec base, Map<String, String> settings) {
        Map<String, String> hyperparameters = new LinkedHashMap<>(settings);
        OF_RUN.forEach(hyperparameters::remove);
        RunSpec spec = base.with(hyperparameters);
        if (settings.containsKey("steps")) {
            spec = spec.withSteps(whole("steps", settings.getOrDefault("steps", ""), Long.MAX_VALUE));
        }
        return settings.containsKey("envs")
                ? spec.withEnvironments((int) whole("envs", settings.getOrDefault("envs", ""), Integer.MAX_VALUE))
                : spec;
    }

    private static long whole(String name, String text, long most) {
        try {
            long value = Long.parseLong(text);
            if (Math.abs(value) <= most) {
                return value;
            }
        } catch (NumberFormatException none) {
            // As below.
        }
        throw new IllegalArgumentException(
                name + " must be a whole number of at most " + most + ", got '" + text + "'");
    }

    /** Every variant makes a run, and no two the same one, however its numbers are written. */
    private static List<Map<String, String>> checked(List<Map<String, String>> variants, RunSpec base) {
        Map<RunSpec, Map<String, String>> distinct = new LinkedHashMap<>();
        variants.forEach(variant -> distinct.putIfAbsent(varied(base, variant), variant));
        return List.copyOf(distinct.values());
    }

    private static List<Axis> parse(List<String> texts, RunSpec base) {
        List<Axis> axes = new ArrayList<>();
        for (String text : texts) {
            int equals = text.indexOf('=');
            if (equals < 1 || equals == text.length() - 1) {
                throw new IllegalArgumentException("'" + text + "' is not name=value,value or name=low..high");
            }
            String given = text.substring(0, equals).strip();
            Axis axis = axis(
                    SHORT_NAMES.getOrDefault(given, given),
                    text.substring(equals + 1).strip(),
                    base);
            if (axes.stream().anyMatch(other -> other.name.equals(axis.name))) {
                throw new IllegalArgumentException(axis.name + " is given twice");
            }
            axes.add(axis);
        }
        if (axes.isEmpty()) {
            throw new IllegalArgumentException("nothing is varied: give --grid learning_rate=1e-4,3e-4, for instance");
        }
        return axes;
    }

    private static Axis axis(String name, String values, RunSpec base) {
        if (!values.contains("..")) {
            List<String> each = List.of(values.split("\\s*,\\s*", -1));
            // Each by itself, so that a name that is none is found here.
            each.forEach(value -> varied(base, Map.of(name, value)));
            return new Axis(name, each, 0, 0, false, false);
        }
        boolean isLogarithmic = values.startsWith("log:");
        String[] ends = values.substring(isLogarithmic ? 4 : 0).split("\\.\\.", -1);
        try {
            double low = Double.parseDouble(ends[0]);
            double high = Double.parseDouble(ends[1]);
            if (ends.length == 2 && low < high && Double.isFinite(high - low) && (!isLogarithmic || low > 0)) {
                String now = base.config().asMap().getOrDefault(name, "0");
                Axis axis = new Axis(name, List.of(), low, high, isLogarithmic, now.matches("-?\\d+"));
                varied(base, Map.of(name, axis.isWhole ? Long.toString(Math.round(low)) : ends[0]));
                varied(base, Map.of(name, axis.isWhole ? Long.toString(Math.round(high)) : ends[1]));
                return axis;
            }
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException notNumbers) {
            // As below.
        }
        throw new IllegalArgumentException("'" + values + "' is no range for " + name
                + ": expected low..high, or log:low..high with a low above 0");
    }
}
