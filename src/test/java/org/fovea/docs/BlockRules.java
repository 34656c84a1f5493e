// SPDX-License-Identifier: Apache-2.0
package org.fovea.docs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What is done with each block of code in the documentation, and each command in it: {@code blocks.txt}, which says how it is to be
 * read. A block or a command that no rule is for fails the test.
 */
record BlockRules(List<Rule> rules) {
    private static final Path FILE = Path.of("src/test/resources/org/fovea/docs/blocks.txt");

    /**
     * A line of the file.
     *
     * @param action what is done
     * @param argument of the action, empty if it has none
     * @param pattern of a whole command, or of the first line of a block
     */
    record Rule(String action, String argument, Pattern pattern) {}

    static BlockRules read() throws IOException {
        List<Rule> rules = new ArrayList<>();
        for (String line : Files.readAllLines(FILE)) {
            if (!line.isBlank() && !line.startsWith("#")) {
                String[] parts = line.split("\\s*\\|\\s*", 3);
                if (parts.length != 3) {
                    throw new IOException(FILE + ": expected ACTION | ARGUMENT | PATTERN, got: " + line);
                }
                rules.add(new Rule(parts[0].strip(), parts[1].strip(), Pattern.compile(parts[2].strip())));
            }
        }
        return new BlockRules(rules);
    }

    /** The first rule whose pattern a text begins with. */
    Optional<Rule> of(String text, List<String> actions) {
        return rules.stream()
                .filter(rule -> actions.contains(rule.action)
                        && rule.pattern.matcher(text).lookingAt())
                .findFirst();
    }
}
