// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.cli.bench.GemmBench;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** GFLOP/s of matrix products, by Fovea's own kernel and by cuBLAS. */
@Command(
        name = "gemm",
        abbreviateSynopsis = true,
        header = "Measure the GFLOP/s of matrix products; with --compare by cuBLAS too, and how far the two are apart.")
final class BenchGemmCommand extends BackendCommand {
    private static final String CUBLAS = "cublas";

    @Option(
            names = "--size",
            paramLabel = "N",
            split = ",",
            description = "Rows and columns of the matrices (default: ${DEFAULT-VALUE}).")
    private int[] sizes = {256, 512, 1024, 2048, 4096};

    @Option(names = "--compare", description = "Own kernel against cuBLAS, on a GPU.")
    private boolean compare;

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    BenchGemmCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    int run(Map<String, String> backendSettings) {
        for (int n : sizes) {
            if (n < 1 || n > 16_384) {
                throw new UsageException("--size must be from 1 to 16384, got " + n);
            }
        }
        List<List<String>> rows = new ArrayList<>();
        if (!compare) {
            List<GemmBench> measured = measure(backendSettings);
            rows.add(List.of("n", "GFLOP/s"));
            for (int i = 0; i < sizes.length; i++) {
                rows.add(List.of(Integer.toString(sizes[i]), rate(measured.get(i))));
            }
        } else {
            List<GemmBench> own = measure(with(backendSettings, "off"));
            List<GemmBench> cublas = measure(with(backendSettings, "on"));
            rows.add(List.of("n", "own GFLOP/s", "cuBLAS GFLOP/s", "difference"));
            for (int i = 0; i < sizes.length; i++) {
                rows.add(List.of(
                        Integer.toString(sizes[i]),
                        rate(own.get(i)),
                        rate(cublas.get(i)),
                        String.format(Locale.ROOT, "%.2e", own.get(i).differenceFrom(cublas.get(i)))));
            }
        }
        Table.printWithHeading(terminal, terminal.report(json), rows);
        if (json) {
            terminal.out().println(json(rows));
        }
        return 0;
    }

    /** A row of the table each, by its headings. */
    private static Json json(List<List<String>> rows) {
        List<Json> results = new ArrayList<>();
        for (List<String> row : rows.subList(1, rows.size())) {
            Json result = new Json();
            for (int column = 0; column < row.size(); column++) {
                String key = rows.get(0)
                        .get(column)
                        .toLowerCase(Locale.ROOT)
                        .replace(' ', '_')
                        .replace("/s", "s");
                result.with(key, Double.parseDouble(row.get(column)));
            }
            results.add(result);
        }
        return new Json().with("results", results);
    }

    private static Map<String, String> with(Map<String, String> settings, String cublas) {
        if (settings.containsKey(CUBLAS)) {
            throw new UsageException("--compare decides about cublas itself; leave out --set cublas");
        }
        Map<String, String> changed = new HashMap<>(settings);
        changed.put(CUBLAS, cublas);
        return changed;
    }

    private List<GemmBench> measure(Map<String, String> set) {
        try (Backend backend = device.open(terminal, set)) {
            terminal.report(json).println("n x n matrix products on " + backend.description());
            List<GemmBench> measured = new ArrayList<>();
            for (int n : sizes) {
                measured.add(GemmBench.run(backend, n));
            }
            return measured;
        }
    }

    private static String rate(GemmBench measured) {
        return String.format(Locale.ROOT, "%.1f", measured.gigaflops());
    }
}
