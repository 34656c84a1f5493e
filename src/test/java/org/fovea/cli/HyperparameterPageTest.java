// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.RunSpec;
import org.junit.jupiter.api.Test;

/**
 * docs/hyperparameters.md is what the code says: {@code mvn test -Dtest=HyperparameterPageTest -Dfovea.docs.write=true} writes it
 * anew.
 */
class HyperparameterPageTest {
    private static final Path PAGE = Path.of("docs/hyperparameters.md");
    private static final Pattern EXPECTED = Pattern.compile("must be (.*?)(?:, got .*)?$");

    /** Of which nothing is known. */
    static final class Plain implements Environment {
        @Override
        public Space observationSpace() {
            return new Space.Box(1, 0, 1);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            return new float[1];
        }

        @Override
        public Step step(Action action) {
            return Step.terminated(new float[1], 0);
        }
    }

    @Test
    void thePageIsWhatTheCodeSays() throws IOException {
        String page = page();
        if (Boolean.getBoolean("fovea.docs.write")) {
            Files.writeString(PAGE, page);
        }
        assertThat(Files.readString(PAGE))
                .as("%s, which -Dfovea.docs.write=true writes anew", PAGE)
                .isEqualTo(page);
    }

    private static String page() {
        Map<String, RunSpec> columns = new LinkedHashMap<>();
        for (Algorithm algorithm : Algorithm.values()) {
            for (PolicyKind policy : List.of(PolicyKind.MLP, PolicyKind.ATTENTION)) {
                columns.put(algorithm + ", " + policy, Defaults.of(Plain.class.getName(), algorithm, policy));
            }
        }
        Environments.get(Plain.class.getName()).closeUnused();
        Set<String> names = new LinkedHashSet<>(List.of("steps", "envs"));
        columns.values().forEach(spec -> names.addAll(spec.config().asMap().keySet()));
        StringBuilder page = new StringBuilder("""
                # Hyper-parameters

                Made from the code by `HyperparameterPageTest`, which fails where this page is out of date. Defaults are those of an environment of
                which nothing is known, with discrete actions; `gru` has those of `attention`. Some built-in environments have their own:
                `fovea train --env NAME --set help` shows what holds for one. `--set NAME=VALUE` sets a value, `--steps` and `--envs` the first two.

                """);
        page.append("| name | what it is | may be |");
        columns.keySet().forEach(column -> page.append(' ').append(column).append(" |"));
        page.append("\n|---|---|---|").append("---|".repeat(columns.size())).append('\n');
        for (String name : names) {
            page.append("| `").append(name).append("` | ").append(meaning(name)).append(" | ");
            page.append(columns.values().stream()
                    .map(spec -> mayBe(spec, name))
                    .filter(text -> !text.isEmpty())
                    .findFirst()
                    .orElse(""));
            page.append(" |");
            for (RunSpec spec : columns.values()) {
                page.append(' ').append(value(spec, name)).append(" |");
            }
            page.append('\n');
        }
        return page.toString();
    }

    private static String meaning(String name) {
        return switch (name) {
            case "steps" -> "environment steps of the whole run, rounded down to whole rollouts";
            case "envs" -> "environments side by side";
            default -> SettingsHelp.meaning(name);
        };
    }

    private static String value(RunSpec spec, String name) {
        return switch (name) {
            case "steps" -> Long.toString(spec.steps());
            case "envs" -> Integer.toString(spec.environments());
            default -> spec.config().asMap().getOrDefault(name, "");
        };
    }

    /** What the code says to a value that cannot be. */
    private static String mayBe(RunSpec spec, String name) {
        if (name.equals("steps") || name.equals("envs")) {
            return "at least 1";
        }
        if (!spec.config().asMap().containsKey(name)) {
            return "";
        }
        List<String> said = new ArrayList<>();
        for (String impossible : List.of("no such value", "-7")) {
            try {
                spec.config().with(Map.of(name, impossible));
            } catch (IllegalArgumentException e) {
                Matcher matcher = EXPECTED.matcher(String.valueOf(e.getMessage()));
                if (matcher.find()) {
                    said.add(matcher.group(1));
                }
            }
        }
        assertThat(said).as(name).isNotEmpty();
        return said.size() == 1
                        || said.get(0).equals(said.get(1))
                        || !said.get(0).contains("number")
                ? said.get(0)
                : said.get(0).contains("whole") ? "a whole number, " + said.get(1) : said.get(1);
    }
}
