// SPDX-License-Identifier: Apache-2.0
package org.fovea.docs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.ext.heading.anchor.HeadingAnchorExtension;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Heading;
import org.commonmark.node.Link;
import org.commonmark.node.Node;
import org.commonmark.node.Text;
import org.commonmark.renderer.html.HtmlRenderer;

/**
 * The pages of docs as a site of files alone: no script, no service, nothing from elsewhere. {@code docs/site.sh [DIRECTORY]} runs it.
 * The menu is what docs/index.md lists.
 */
final class Site {
    private static final Path DOCS = Path.of("docs");

    private final Path out;
    private final Node index;

    private Site(Path out) throws IOException {
        this.out = out;
        this.index = CodeBlock.parser().parse(Files.readString(DOCS.resolve("index.md")));
    }

    /** The directory to write to. */
    public static void main(String... arguments) throws IOException {
        Path out = Path.of(arguments.length == 0 ? "target/site" : arguments[0]);
        System.out.println("[fovea] " + write(out) + " pages in " + out.resolve("index.html"));
    }

    /** Writes the site, and returns how many pages it has. */
    static int write(Path out) throws IOException {
        Site site = new Site(out);
        int pages = 0;
        List<Path> files;
        try (Stream<Path> all = Files.walk(DOCS)) {
            files = all.filter(Files::isRegularFile).toList();
        }
        for (Path file : files) {
            Path relative = DOCS.relativize(file);
            if (file.toString().endsWith(".md")) {
                site.page(relative);
                pages++;
            } else if (file.toString().matches(".*\\.(png|svg|json)")) {
                Path target = out.resolve(relative);
                Files.createDirectories(target.getParent());
                Files.copy(file, target, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        return pages;
    }

    private void page(Path page) throws IOException {
        Node document = CodeBlock.parser().parse(Files.readString(DOCS.resolve(page)));
        String up = "../".repeat(page.getNameCount() - 1);
        document.accept(new AbstractVisitor() {
            @Override
            public void visit(Link link) {
                link.setDestination(destination(page, link.getDestination()));
            }
        });
        HtmlRenderer renderer = HtmlRenderer.builder()
                .extensions(List.of(TablesExtension.create(), HeadingAnchorExtension.create()))
                .build();
        Path target = out.resolve(html(page.toString()));
        Files.createDirectories(target.toAbsolutePath().getParent());
        Files.writeString(
                target,
                TEMPLATE.replace("{title}", escaped(title(document)))
                        .replace("{menu}", menu(page, up))
                        .replace("{page}", renderer.render(document)));
    }

    private static String html(String name) {
        return name.replaceFirst("(^|/)README\\.md$", "$1index.md").replaceFirst("\\.md$", ".html");
    }

    /** Of a page of the site, where it is there; what is in the sources alone is named and leads nowhere. */
    private static String destination(Path page, String destination) {
        if (destination.matches("\\w+:.*|#.*")) {
            return destination;
        }
        String file = destination.replaceFirst("#.*", "");
        String anchor = destination.substring(file.length());
        Path parent = page.getParent() == null ? Path.of("") : page.getParent();
        Path target = DOCS.resolve(parent).resolve(file).normalize();
        if (Files.isDirectory(target)) {
            return (file.endsWith("/") ? file : file + "/") + "index.html" + anchor;
        }
        return target.startsWith(DOCS) ? html(file) + anchor : "#";
    }

    private String menu(Path page, String up) {
        StringBuilder menu = new StringBuilder();
        menu.append(item(up, "index.md", "Fovea", page));
        index.accept(new AbstractVisitor() {
            @Override
            public void visit(Link link) {
                menu.append(item(up, link.getDestination(), text(link), page));
            }
        });
        return menu.toString();
    }

    private static String item(String up, String file, String label, Path page) {
        boolean isHere = page.toString().equals(file);
        return "<li><a href=\"" + up + html(file) + "\"" + (isHere ? " aria-current=\"page\"" : "") + ">"
                + escaped(label) + "</a></li>\n";
    }

    private static String title(Node document) {
        List<String> titles = new ArrayList<>();
        document.accept(new AbstractVisitor() {
            @Override
            public void visit(Heading heading) {
                titles.add(text(heading));
            }
        });
        return titles.isEmpty() ? "Fovea" : titles.get(0);
    }

    private static String text(Node node) {
        StringBuilder text = new StringBuilder();
        node.accept(new AbstractVisitor() {
            @Override
            public void visit(Text part) {
                text.append(part.getLiteral());
            }
        });
        return text.toString();
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    private static final String TEMPLATE = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{title} - Fovea</title>
            <style>
            :root { color-scheme: light dark; --text: #222; --page: #fff; --faint: #f4f5f7; --line: #d9dce1; --link: #0063a8; }
            @media (prefers-color-scheme: dark) {
              :root { --text: #dcdfe4; --page: #16191d; --faint: #20252b; --line: #3a3f45; --link: #6db3ff; }
            }
            body { margin: 0; color: var(--text); background: var(--page); font: 16px/1.55 system-ui, sans-serif; display: flex; }
            nav { flex: 0 0 12rem; padding: 1.5rem 1rem; border-right: 1px solid var(--line); min-height: 100vh; box-sizing: border-box; }
            nav ul { list-style: none; margin: 0; padding: 0; position: sticky; top: 1.5rem; }
            nav li { margin: .3rem 0; }
            nav a[aria-current] { color: var(--text); font-weight: 600; }
            main { flex: 1 1 auto; min-width: 0; max-width: 56rem; padding: 1rem 2rem 4rem; }
            a { color: var(--link); text-decoration: none; }
            a:hover { text-decoration: underline; }
            h1, h2, h3 { line-height: 1.25; margin: 2rem 0 .75rem; }
            h1 { margin-top: .5rem; }
            code { font: .875em ui-monospace, monospace; background: var(--faint); padding: .1em .3em; border-radius: 3px; }
            pre { background: var(--faint); padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; }
            pre code { padding: 0; background: none; }
            table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; }
            th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
            th { background: var(--faint); }
            img { max-width: 100%; }
            @media (max-width: 48rem) {
              body { display: block; }
              nav { border-right: 0; border-bottom: 1px solid var(--line); min-height: 0; padding: .75rem 1rem; }
              nav li { display: inline-block; margin: .1rem .8rem .1rem 0; }
              main { padding: .5rem 1rem 3rem; }
            }
            </style>
            </head>
            <body>
            <nav aria-label="Pages"><ul>
            {menu}</ul></nav>
            <main>
            {page}</main>
            </body>
            </html>
            """;
}
