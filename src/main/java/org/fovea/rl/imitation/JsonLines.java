// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fovea.env.EnvironmentSpec;
import org.fovea.io.JsonReader;
import org.jspecify.annotations.Nullable;

/**
 * Episodes as lines of JSON, one step a line, as a log has them:
 *
 * <pre>{@code
 * {"episode": "user-17", "observation": [0.1, 2], "action": 1, "reward": 0.5, "mask": [true, true], "end": false}
 * }</pre>
 *
 * Lines of several episodes may be mixed if each names its own; without names an episode ends with {@code "end": true}. Reward, mask, name and
 * end may be left out or null, and whatever else there is is not looked at.
 */
final class JsonLines {
    private static final Set<String> MAY_BE_LEFT_OUT = Set.of("reward", "mask", "episode", "end");

    private final Path file;
    private final EnvironmentSpec.Spaces spaces;
    private final Map<String, EpisodeBuilder> open = new LinkedHashMap<>();
    private final List<Recording.Episode> episodes = new ArrayList<>();

    JsonLines(Path file, EnvironmentSpec.Spaces spaces) {
        this.file = file;
        this.spaces = spaces;
    }

    Recording read() throws IOException {
        int number = 0;
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                number++;
                // What some programs begin UTF-8 with.
                String text = number == 1 && line.startsWith("\uFEFF") ? line.substring(1) : line;
                if (!text.isBlank()) {
                    read(text, "line " + number);
                }
            }
        } catch (CharacterCodingException e) {
            throw new RecordingException(file, "behind line " + number, "it is not UTF-8");
        }
        for (EpisodeBuilder last : open.values()) {
            episodes.add(last.build());
        }
        if (episodes.isEmpty()) {
            throw new RecordingException(file, "", "it has no step");
        }
        return new Recording(spaces, List.copyOf(episodes));
    }

    private void read(String line, String where) throws IOException {
        double @Nullable [] observation = null;
        double @Nullable [] action = null;
        double @Nullable [] mask = null;
        Double reward = null;
        String name = "";
        boolean end = false;
        try {
            JsonReader json = new JsonReader(line);
            json.beginObject();
            for (String member = json.nextName(); member != null; member = json.nextName()) {
                if (json.peek() == JsonReader.Kind.NULL && MAY_BE_LEFT_OUT.contains(member)) {
                    json.skip();
                    continue;
                }
                switch (member) {
                    case "observation" -> observation = numbers(json);
                    case "action" -> action = numbers(json);
                    case "mask" -> mask = numbers(json);
                    case "reward" -> reward = Double.parseDouble(json.number());
                    case "episode" -> name = json.peek() == JsonReader.Kind.NUMBER ? json.number() : json.string();
                    case "end" -> end = json.truth();
                    default -> json.skip();
                }
            }
            if (!json.isAtEnd()) {
                throw new RecordingException(
                        file, where, "something follows the object; a step is one object on a line");
            }
        } catch (JsonReader.SyntaxException e) {
            throw new RecordingException(file, where, e.getMessage() + "; a step is one JSON object on a line");
        }
        if (observation == null || action == null) {
            throw new RecordingException(
                    file,
                    where,
                    "it lacks \"" + (observation == null ? "observation" : "action")
                            + "\"; a step is {\"observation\": [...], \"action\": ...}");
        }
        EpisodeBuilder episode = open.computeIfAbsent(name, unused -> new EpisodeBuilder(spaces));
        String problem = episode.add(observation, action, mask == null ? null : truths(mask), reward);
        if (problem != null) {
            throw new RecordingException(file, where, problem);
        }
        if (end) {
            episodes.add(episode.build());
            open.remove(name);
        }
    }

    /** Numbers, or one, in lists of whatever depth, one behind the other; true counts as 1. */
    private static double[] numbers(JsonReader json) throws IOException {
        List<Double> all = new ArrayList<>();
        add(json, all);
        return all.stream().mapToDouble(Double::doubleValue).toArray();
    }

    private static void add(JsonReader json, List<Double> all) throws IOException {
        switch (json.peek()) {
            case NUMBER -> all.add(Double.parseDouble(json.number()));
            case BOOLEAN -> all.add(json.truth() ? 1.0 : 0.0);
            default -> {
                json.beginArray();
                while (json.nextElement()) {
                    add(json, all);
                }
            }
        }
    }

    private static boolean[] truths(double[] numbers) {
        boolean[] truths = new boolean[numbers.length];
        for (int i = 0; i < truths.length; i++) {
            truths[i] = numbers[i] != 0;
        }
        return truths;
    }
}
