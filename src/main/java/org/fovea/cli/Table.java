// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.PrintStream;
import java.util.List;

/** Columns of text. */
final class Table {
    private static final String GAP = "   ";

    private Table() {}

    /** Prints rows of equally many cells, each column as wide as its widest cell. */
    static void print(PrintStream out, List<List<String>> rows) {
        int columns = rows.get(0).size();
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int column = 0; column < columns; column++) {
                widths[column] = Math.max(widths[column], row.get(column).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < columns; column++) {
                String cell = row.get(column);
                line.append(cell)
                        .append(" ".repeat(widths[column] - cell.length()))
                        .append(GAP);
            }
            out.println(line.toString().stripTrailing());
        }
    }
}
