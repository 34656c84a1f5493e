// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.fovea.cli.Terminal.Style;

/** Columns of text. */
final class Table {
    private static final String GAP = "   ";
    private static final Pattern STYLE = Pattern.compile("\033\\[\\d+m");

    private Table() {}

    /** Prints rows of equally many cells, each column as wide as its widest cell. */
    static void print(PrintStream out, List<List<String>> rows) {
        lines(rows).forEach(out::println);
    }

    /** The same with the first row a heading. */
    static void printWithHeading(Terminal terminal, PrintStream out, List<List<String>> rows) {
        List<String> lines = lines(rows);
        out.println(terminal.styled(Style.HEADING, lines.get(0)));
        lines.subList(1, lines.size()).forEach(out::println);
    }

    /** Colours have none. */
    private static int width(String cell) {
        return STYLE.matcher(cell).replaceAll("").length();
    }

    private static List<String> lines(List<List<String>> rows) {
        int columns = rows.get(0).size();
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int column = 0; column < columns; column++) {
                widths[column] = Math.max(widths[column], width(row.get(column)));
            }
        }
        List<String> lines = new ArrayList<>();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < columns; column++) {
                String cell = row.get(column);
                line.append(cell)
                        .append(" ".repeat(widths[column] - width(cell)))
                        .append(GAP);
            }
            lines.add(line.toString().stripTrailing());
        }
        return lines;
    }
}
