// SPDX-License-Identifier: Apache-2.0
package org.fovea.docs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.FencedCodeBlock;
import org.commonmark.node.IndentedCodeBlock;
import org.commonmark.node.Node;
import org.commonmark.parser.IncludeSourceSpans;
import org.commonmark.parser.Parser;

/**
 * A block of code in the documentation.
 *
 * @param file from the root of the sources
 * @param line of the first line of code, from 1
 * @param language of a fenced block, empty if it says none
 */
record CodeBlock(Path file, int line, String language, String text) {

    /** Markdown as GitHub reads it. */
    static Parser parser() {
        return Parser.builder()
                .extensions(List.of(TablesExtension.create()))
                .includeSourceSpans(IncludeSourceSpans.BLOCKS)
                .build();
    }

    /** README.md and all pages in docs. */
    static List<Path> pages() throws IOException {
        List<Path> pages = new ArrayList<>(List.of(Path.of("README.md")));
        try (Stream<Path> files = Files.walk(Path.of("docs"))) {
            files.filter(file -> file.toString().endsWith(".md")).sorted().forEach(pages::add);
        }
        return pages;
    }

    /** All blocks of a page, in order. */
    static List<CodeBlock> of(Path page) throws IOException {
        List<CodeBlock> blocks = new ArrayList<>();
        parser().parse(Files.readString(page)).accept(new AbstractVisitor() {
            @Override
            public void visit(FencedCodeBlock block) {
                blocks.add(new CodeBlock(page, line(block) + 1, block.getInfo(), block.getLiteral()));
            }

            @Override
            public void visit(IndentedCodeBlock block) {
                blocks.add(new CodeBlock(page, line(block), "", block.getLiteral()));
            }
        });
        return blocks;
    }

    private static int line(Node block) {
        return block.getSourceSpans().get(0).getLineIndex() + 1;
    }

    /** Lines of code, those joined that a backslash continues, without comments and what is empty. */
    List<String> commands() {
        List<String> commands = new ArrayList<>();
        for (String line : text.replaceAll("\\\\\\n\\s*", "").split("\\n")) {
            String command = line.replaceFirst("(^|\\s)#( .*|$)", "").strip();
            if (!command.isEmpty()) {
                commands.add(command);
            }
        }
        return commands;
    }

    String firstLine() {
        return text.lines()
                .filter(line -> !line.isBlank())
                .findFirst()
                .orElse("")
                .strip();
    }

    String place() {
        return file + ":" + line;
    }
}
