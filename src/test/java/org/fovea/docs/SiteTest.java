// SPDX-License-Identifier: Apache-2.0
package org.fovea.docs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The site made of docs: whole, and of itself alone. */
class SiteTest {
    private static final Pattern REFERENCE = Pattern.compile("(?:href|src)=\"([^\"#]*)(#[^\"]*)?\"");

    @TempDir
    private Path out;

    @Test
    void everyLinkLeadsSomewhereAndNothingComesFromElsewhere() throws IOException {
        int pages = Site.write(out);

        List<Path> written;
        try (Stream<Path> files = Files.walk(out)) {
            written = files.filter(file -> file.toString().endsWith(".html")).toList();
        }
        assertThat(written).hasSize(pages).contains(out.resolve("index.html"), out.resolve("results/index.html"));
        for (Path page : written) {
            String text = Files.readString(page);
            assertThat(text).doesNotContain("<script", "src=\"http", "url(", "@import");
            Matcher reference = REFERENCE.matcher(text);
            while (reference.find()) {
                String target = reference.group(1);
                if (!target.isEmpty() && !target.startsWith("http") && !isYetToBeDrawn(target)) {
                    Path file = page.resolveSibling(target).normalize();
                    assertThat(file).as("%s in %s", target, page).exists();
                    if (reference.group(2) != null) {
                        assertThat(Files.readString(file))
                                .as("%s in %s", reference.group(), page)
                                .contains("id=\"" + reference.group(2).substring(1) + "\"");
                    }
                }
            }
        }
    }

    /** Pictures of the dashboard are drawn by its test, all of them at once. */
    private static boolean isYetToBeDrawn(String target) {
        return target.startsWith("images/") && !Files.isDirectory(Path.of("docs/images"));
    }

    /** A page that the menu lacks would not be found. */
    @Test
    void theIndexListsEveryPage() throws IOException {
        String index = Files.readString(Path.of("docs/index.md"));
        try (Stream<Path> pages = Files.list(Path.of("docs"))) {
            assertThat(pages.map(page -> page.getFileName().toString())
                            .filter(name -> name.endsWith(".md") && !name.equals("index.md")))
                    .allSatisfy(name -> assertThat(index).contains("(" + name + ")"));
        }
    }
}
