// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tables are read as they grow, once, and large ones quickly. */
class TableTest {
    @TempDir
    Path directory;

    private static void append(Path file, String text) throws IOException {
        Files.writeString(file, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    @Test
    void growsWithItsFile() throws IOException {
        Path file = directory.resolve("t.csv");
        Table table = new Table(file);
        table.refresh();
        assertThat(table.rows()).isZero();
        append(file, "iteration,a");
        table.refresh();
        assertThat(table.columns()).isEmpty();
        append(file, ",b\n1,0.5,NaN\n2,-1e-3,3\n3,7");
        table.refresh();
        assertThat(table.column("a")).containsExactly(0.5, -0.001);
        assertThat(table.column("b")).containsExactly(Double.NaN, 3);
        assertThat(table.column("none")).containsExactly(Double.NaN, Double.NaN);
        append(file, ",8\nnonsense\n\n4,9,10\n");
        table.refresh();
        assertThat(table.column("a")).containsExactly(0.5, -0.001, 7, 9);
    }

    /** As when a run goes on from an earlier checkpoint: the file is written anew, perhaps at once longer than before. */
    @Test
    void isReadAgainWhereItWasWrittenAnew() throws IOException {
        Path file = directory.resolve("t.csv");
        Table table = new Table(file);
        append(file, "iteration,a\n1,1\n2,2\n3,3\n");
        table.refresh();
        Files.writeString(file, "iteration,a\n1,1\n2,20\n3,30\n4,40\n");
        table.refresh();
        assertThat(table.column("a")).containsExactly(1, 20, 30, 40);
        Files.writeString(file, "iteration,a\n1,1\n");
        table.refresh();
        assertThat(table.column("a")).containsExactly(1);
        Files.delete(file);
        table.refresh();
        assertThat(table.rows()).isZero();
    }

    /** Of ten million rows a view is there at once, and what is added later is, too. */
    @Test
    void largeTablesAreSampled() throws IOException {
        Path file = directory.resolve("large.csv");
        StringBuilder rows = new StringBuilder("iteration,steps,mean_return\n");
        int count = 1_000_000;
        for (int i = 1; i <= count; i++) {
            rows.append(i).append(',').append(8L * i).append(',').append(i % 7).append('\n');
        }
        Files.writeString(file, rows);
        Table table = new Table(file);
        table.refresh();
        assertThat(table.isSampled()).isTrue();
        assertThat(table.rows()).isBetween(2_000, 4_000);
        double[] steps = table.column("steps");
        assertThat(steps[0]).isEqualTo(8);
        assertThat(steps[steps.length - 1]).isEqualTo(8.0 * count);
        assertThat(steps).isSorted();
        append(file, (count + 1) + ",5,6\n");
        table.refresh();
        assertThat(table.column("mean_return")).endsWith(6);
    }

    @Property
    void numbersAreThoseOfTheLibrary(@ForAll double number, @ForAll int short_) {
        for (String text : new String[] {
            "" + number,
            String.format(Locale.ROOT, "%.5g", number),
            String.format(Locale.ROOT, "%.3f", short_ / 1000.0),
            "" + short_,
        }) {
            byte[] bytes = ("," + text + ",").getBytes(StandardCharsets.US_ASCII);
            assertThat(Decimal.parse(bytes, 1, bytes.length - 1)).isEqualTo(Double.parseDouble(text));
        }
    }
}
