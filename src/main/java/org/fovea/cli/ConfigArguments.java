// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.fovea.env.NearestNames;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.ConfigFile;
import org.fovea.rl.run.ConfigFile.Entry;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** The command line that a configuration file stands for, together with what was given beside it. */
final class ConfigArguments {
    private static final String CONFIG = "--config";
    private static final String ENVIRONMENT = "--env";
    private static final Set<String> OF_AN_ENVIRONMENT = Set.of("--env-arg", "--env-wrapper");

    /** Options that make no sense in a file. */
    private static final Set<String> NOT_IN_A_FILE = Set.of(CONFIG, "--help");

    private ConfigArguments() {}

    /**
     * The arguments of the command that was parsed, with those of the file in place of {@code --config}.
     *
     * @throws UsageException that names file and line, where the command has no such option, or the value is none
     */
    static String[] of(Path file, CommandSpec command) throws IOException {
        ConfigFile config;
        try {
            config = UsageException.ifIllegal(() -> ConfigFile.read(file));
        } catch (NoSuchFileException e) {
            throw new UsageException("there is no file " + file + " to take --config from", e);
        }
        ParseResult given = command.commandLine().getParseResult();
        List<String> arguments = new ArrayList<>();
        List<String> before = new ArrayList<>();
        boolean isBefore = true;
        List<String> original = command.root().commandLine().getParseResult().originalArgs();
        for (int i = 0; i < original.size(); i++) {
            String argument = original.get(i);
            if (isBefore) {
                before.add(argument);
                isBefore = !argument.equals(command.name());
            } else if (argument.equals(CONFIG)) {
                i++;
            } else if (!argument.startsWith(CONFIG + "=")) {
                arguments.add(argument);
            }
        }
        for (Entry entry : config.entries()) {
            OptionSpec option = option(config, entry, command);
            // Another environment has other parameters.
            boolean isReplaced = given.hasMatchedOption(option.longestName())
                    || (OF_AN_ENVIRONMENT.contains(option.longestName()) && given.hasMatchedOption(ENVIRONMENT));
            if (!isReplaced || entry.key().equals(ConfigFile.SET)) {
                before.addAll(arguments(config, entry, option));
            }
        }
        before.addAll(arguments);
        return before.toArray(String[]::new);
    }

    private static OptionSpec option(ConfigFile config, Entry entry, CommandSpec command) {
        String name = "--" + entry.key().replace('_', '-');
        OptionSpec option = command.optionsMap().get(name);
        if (option != null && !NOT_IN_A_FILE.contains(name)) {
            return option;
        }
        for (Algorithm algorithm : Algorithm.values()) {
            if (algorithm.hyperparameters().contains(entry.key())) {
                throw new UsageException(config.place(entry) + ": " + entry.key()
                        + " is a hyper-parameter, which goes under " + ConfigFile.SET + ", indented");
            }
        }
        Set<String> valid = new TreeSet<>();
        for (String each : command.optionsMap().keySet()) {
            if (!NOT_IN_A_FILE.contains(each)) {
                valid.add(each.substring(2));
            }
        }
        throw new UsageException(config.place(entry) + ": unknown key '" + entry.key() + "'; nearest: "
                + String.join(", ", NearestNames.of(entry.key(), valid)));
    }

    private static List<String> arguments(ConfigFile config, Entry entry, OptionSpec option) {
        List<String> arguments = new ArrayList<>();
        boolean isFlag = option.arity().max() == 0;
        boolean isRepeatable = option.isMultiValue();
        if (!entry.members().isEmpty() && !option.paramLabel().startsWith("KEY=")) {
            throw new UsageException(config.place(entry) + ": " + entry.key() + " takes one value, not KEY: VALUE");
        }
        if (!isRepeatable && entry.values().size() != 1) {
            throw new UsageException(config.place(entry) + ": " + entry.key() + " takes one value, not "
                    + entry.values().size());
        }
        entry.members().forEach((key, value) -> add(arguments, option, key + "=" + value));
        for (String value : entry.values()) {
            if (!isFlag) {
                requireValid(config, entry, option, value);
                add(arguments, option, value);
            } else if (value.toLowerCase(Locale.ROOT).equals("true")) {
                arguments.add(option.longestName());
            } else if (!value.toLowerCase(Locale.ROOT).equals("false")) {
                throw new UsageException(
                        config.place(entry) + ": " + entry.key() + " must be true or false, got '" + value + "'");
            }
        }
        return arguments;
    }

    private static void add(List<String> arguments, OptionSpec option, String value) {
        arguments.add(option.longestName() + "=" + value);
    }

    /** Numbers alone: of others the command says more when it uses them. */
    private static void requireValid(ConfigFile config, Entry entry, OptionSpec option, String value) {
        Class<?> type = option.type();
        boolean isWhole = type == int.class || type == long.class || type == Integer.class || type == Long.class;
        try {
            if (isWhole) {
                Long.parseLong(value);
            } else if (type == double.class || type == Double.class) {
                Double.parseDouble(value);
            }
        } catch (NumberFormatException e) {
            throw new UsageException(
                    config.place(entry) + ": " + entry.key() + " must be " + (isWhole ? "a whole number" : "a number")
                            + ", got '" + value + "'",
                    e);
        }
    }
}
