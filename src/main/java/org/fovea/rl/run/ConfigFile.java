// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.fovea.io.DurableFiles;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;

/**
 * Settings of a run in YAML: options of {@code fovea train} by their names without the dashes, and hyper-parameters under
 * {@code set}. A run writes its own to {@value RunFiles#CONFIG}, which repeats it. All values are texts here, as they are on the
 * command line: {@code on} is no truth value, and {@code 1e-3} needs no dot.
 *
 * @param entries in the order of the file
 */
public record ConfigFile(Path file, List<Entry> entries) {
    /** Of hyper-parameters. */
    public static final String SET = "set";

    /** Of hyper-parameters that are changed on the way. */
    private static final String CHANGE = "change";

    /** Texts that mean themselves in YAML without quotes, whoever reads them: names, numbers, and no more. */
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9.][A-Za-z0-9._/+-]*(:[A-Za-z0-9._/+-]+)*");

    /**
     * One setting.
     *
     * @param line in the file, from 1
     * @param values one, or those of a list; empty where {@code members} are not
     * @param members of a mapping, in order; empty where there are {@code values}
     */
    public record Entry(String key, int line, List<String> values, Map<String, String> members) {}

    /**
     * Reads a file.
     *
     * @throws IllegalArgumentException if it is not YAML, or not of this form; the message names file and line
     */
    public static ConfigFile read(Path file) throws IOException {
        LoaderOptions options = new LoaderOptions();
        options.setAllowDuplicateKeys(true);
        try (Reader reader = Files.newBufferedReader(file)) {
            Node root = new Yaml(options).compose(reader);
            List<Entry> entries = new ArrayList<>();
            if (root != null) {
                Map<String, Integer> lines = new LinkedHashMap<>();
                for (NodeTuple pair :
                        mapping(file, root, "settings, KEY: VALUE").getValue()) {
                    Entry entry = entry(file, pair);
                    requireNew(file, lines, entry.key, entry.line);
                    entries.add(entry);
                }
            }
            return new ConfigFile(file, List.copyOf(entries));
        } catch (MarkedYAMLException e) {
            int line = e.getProblemMark() == null ? 1 : e.getProblemMark().getLine() + 1;
            throw new IllegalArgumentException(place(file, line) + ": not YAML: " + e.getProblem(), e);
        } catch (YAMLException e) {
            throw new IllegalArgumentException(file + " is not YAML: " + e.getMessage(), e);
        }
    }

    private static Entry entry(Path file, NodeTuple pair) {
        String key = scalar(file, pair.getKeyNode(), "a key");
        int line = line(pair.getKeyNode());
        Node value = pair.getValueNode();
        if (value instanceof MappingNode) {
            Map<String, String> members = new LinkedHashMap<>();
            Map<String, Integer> lines = new LinkedHashMap<>();
            for (NodeTuple member : mapping(file, value, key).getValue()) {
                String name = scalar(file, member.getKeyNode(), "a key");
                requireNew(file, lines, name, line(member.getKeyNode()));
                members.put(name, scalar(file, member.getValueNode(), key + "." + name));
            }
            return new Entry(key, line, List.of(), members);
        }
        List<String> values = new ArrayList<>();
        if (value instanceof SequenceNode list) {
            list.getValue().forEach(element -> values.add(scalar(file, element, key)));
        } else {
            values.add(scalar(file, value, key));
        }
        return new Entry(key, line, values, Map.of());
    }

    private static MappingNode mapping(Path file, Node node, String what) {
        if (node instanceof MappingNode mapping) {
            return mapping;
        }
        throw new IllegalArgumentException(place(file, line(node)) + ": expected " + what);
    }

    private static String scalar(Path file, Node node, String what) {
        if (node instanceof ScalarNode scalar && !scalar.getValue().isBlank()) {
            return scalar.getValue();
        }
        throw new IllegalArgumentException(place(file, line(node)) + ": " + what
                + (node instanceof ScalarNode ? " has no value" : " must be one value, a name or a number"));
    }

    private static void requireNew(Path file, Map<String, Integer> lines, String key, int line) {
        Integer before = lines.put(key, line);
        if (before != null) {
            throw new IllegalArgumentException(
                    place(file, line) + ": '" + key + "' is given twice, in line " + before + " too");
        }
    }

    private static int line(Node node) {
        return node.getStartMark() == null ? 1 : node.getStartMark().getLine() + 1;
    }

    private static String place(Path file, int line) {
        return file + ", line " + line;
    }

    /** Where an entry is, for messages. */
    public String place(Entry entry) {
        return place(file, entry.line);
    }

    /**
     * The settings that repeat a run, as text.
     *
     * @param spec of the run by now
     * @param changes that were made when it was resumed, which are made again where they were
     * @param backend that it runs on
     * @param initial the policy that it began with, if that was not a random one
     */
    static String text(
            RunSpec spec,
            TrainingOptions options,
            List<SettingChange> changes,
            String backend,
            @Nullable Path initial) {
        StringBuilder text = new StringBuilder();
        String version = Optional.ofNullable(ConfigFile.class.getPackage().getImplementationVersion())
                .map(number -> "Fovea " + number + ", ")
                .orElse("");
        text.append(
                        "# fovea train --config FILE, with this file, trains the same policy again, bit for bit on the same")
                .append(" kind of device.\n# ")
                .append(version)
                .append(backend)
                .append(", ")
                .append(Instant.now().truncatedTo(ChronoUnit.SECONDS))
                .append('\n');
        RunSpec first = SettingChange.undone(spec, changes);
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("env", spec.environment());
        values.put("algo", spec.config().algorithm());
        values.put("policy", spec.policy());
        values.put("steps", first.steps());
        values.put("envs", spec.environments());
        values.put("seed", spec.seed());
        if (spec.groups() > 1) {
            values.put("groups", spec.groups());
        }
        if (initial != null) {
            values.put("init", initial);
        }
        EvaluationPlan plan = options.evaluations();
        if (plan.everySteps() > 0) {
            values.put("eval-every", plan.everySteps());
            values.put("eval-episodes", plan.episodes());
            if (!Double.isNaN(plan.target())) {
                values.put("target", plan.target());
            }
        }
        EvaluationSettings last = options.finalEvaluation();
        if (!last.equals(EvaluationSettings.FINAL)) {
            values.put("final-episodes", last.episodes());
            if (Double.isFinite(last.maxSeconds())) {
                values.put("final-seconds", last.maxSeconds());
            }
            values.put("max-episode-steps", last.maxSteps());
        }
        values.forEach((key, value) -> line(text, "", key, value));
        List<SettingChange> later =
                changes.stream().filter(change -> change.steps() > 0).toList();
        if (!later.isEmpty()) {
            text.append(CHANGE).append(":\n");
            later.forEach(change -> line(text, "  - ", change.steps() + ":" + change.setting() + "=" + change.after()));
        }
        text.append(SET).append(":\n");
        first.config().asMap().forEach((key, value) -> line(text, "  ", key, value));
        options.backendSettings().forEach((key, value) -> line(text, "  ", key, value));
        return text.toString();
    }

    private static void line(StringBuilder text, String indent, String key, Object value) {
        line(text, indent + key + ": ", value);
    }

    private static void line(StringBuilder text, String before, Object value) {
        String plain = value.toString();
        text.append(before);
        if (PLAIN.matcher(plain).matches()) {
            text.append(plain);
        } else {
            text.append('"')
                    .append(JsonStringEncoder.getInstance().quoteAsString(plain))
                    .append('"');
        }
        text.append('\n');
    }

    /** Writes the settings of a run to its directory. */
    static void write(
            Path runDirectory, RunSpec spec, TrainingOptions options, List<SettingChange> changes, String backend) {
        Path file = runDirectory.resolve(RunFiles.CONFIG);
        Path initial = runDirectory.resolve(RunFiles.INITIAL).toAbsolutePath();
        try {
            String text = text(spec, options, changes, backend, Files.exists(initial) ? initial : null);
            DurableFiles.write(file, text.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }
}
