// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;
import static org.fovea.backend.cuda.driver.Grid.THREADS;
import static org.fovea.backend.cuda.driver.Grid.VECTOR;
import static org.fovea.backend.cuda.driver.Grid.WARP;
import static org.fovea.backend.cuda.driver.Grid.isAligned;
import static org.fovea.backend.cuda.driver.Grid.tiles;

import java.util.List;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.params.ArrangeParams;
import org.fovea.backend.cuda.params.GatherParams;
import org.fovea.backend.cuda.params.PlaceParams;
import org.fovea.backend.cuda.params.ScatterParams;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.StridedAxes;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;

/** Strided copies, gathers and scatters of {@link org.fovea.backend.math.MathOps} as kernel launches. */
final class CudaMovement {
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final StridedAxes axes = new StridedAxes();
    /** As in kernels/nn/params.h. */
    private static final int TABLES = 8;

    private final CudaKernels.Kernel arrange;
    private final CudaKernels.Kernel arrangeVectors;
    private final CudaKernels.Kernel gatherRows;
    private final CudaKernels.Kernel gatherVectors;
    private final CudaKernels.Kernel placeRows;
    private final CudaKernels.Kernel placeVectors;
    private final CudaKernels.Kernel scatterChunks;
    private final CudaKernels.Kernel scatterTable;
    private final long[] tableAddresses = new long[TABLES];
    private final long[] rowAddresses = new long[TABLES];
    private final long[] tableRows = new long[TABLES];
    private final long[] widths = new long[TABLES];
    private final ArrangeParams arrangeParams;
    private final GatherParams gatherParams;
    private final PlaceParams placeParams;
    private final ScatterParams scatterParams;

    CudaMovement(CudaMemory memory, CudaKernels kernels) {
        this.memory = memory;
        this.kernels = kernels;
        arrange = kernels.find("arrange");
        arrangeVectors = kernels.find("arrange_vectors");
        gatherRows = kernels.find("gather_rows");
        gatherVectors = kernels.find("gather_vectors");
        placeRows = kernels.find("place_rows");
        placeVectors = kernels.find("place_vectors");
        scatterChunks = kernels.find("scatter_chunks");
        scatterTable = kernels.find("scatter_table");
        arrangeParams = new ArrangeParams(kernels.parameters());
        gatherParams = new GatherParams(kernels.parameters());
        placeParams = new PlaceParams(kernels.parameters());
        scatterParams = new ScatterParams(kernels.parameters());
    }

    void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.arrange(shape, x, strideX, y, strideY);
        CudaArray xs = memory.words("arrange", "x", x);
        CudaArray ys = memory.words("arrange", "y", y);
        requireApart("arrange", ys, xs);
        launchArrange(shape, xs, strideX, ys, strideY, false);
    }

    void accumulate(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.accumulate(shape, x, strideX, y, strideY);
        CudaArray xs = memory.floats("accumulate", "x", x);
        CudaArray ys = memory.floats("accumulate", "y", y);
        requireApart("accumulate", ys, xs);
        launchArrange(shape, xs, strideX, ys, strideY, true);
    }

    private void launchArrange(int[] shape, CudaArray xs, int[] strideX, CudaArray ys, int[] strideY, boolean adds) {
        long count = RowMajor.size(shape);
        axes.set(shape, strideX, strideY);
        boolean vectors = isAligned(xs.address()) && isAligned(ys.address()) && axes.divide(VECTOR);
        arrangeParams
                .x(xs.address())
                .y(ys.address())
                .count(vectors ? count / VECTOR : count)
                .shape(axes.shape())
                .strideX(axes.first())
                .strideY(axes.second())
                .adds(adds ? 1 : 0);
        kernels.launchElements(vectors ? arrangeVectors : arrange, vectors ? count / VECTOR : count, arrangeParams);
    }

    void gatherRows(DeviceArray indices, List<TableRows> tables) {
        for (TableRows of : tables) {
            MathChecks.gatherRows(of.table(), of.width(), indices, of.rows());
        }
        CudaArray index = memory.resolve("gatherRows", "indices", DType.I32, indices);
        for (int first = 0; first < tables.size(); first += TABLES) {
            gather(index, tables.subList(first, Math.min(tables.size(), first + TABLES)));
        }
    }

    /** From as many tables as one launch takes. */
    private void gather(CudaArray index, List<TableRows> tables) {
        boolean vectors = note("gatherRows", tables);
        for (TableRows of : tables) {
            requireApart("gatherRows", (CudaArray) of.rows(), memory.words("gatherRows", "table", of.table()), index);
        }
        long total = total(tables.size(), vectors);
        gatherParams
                .table(tableAddresses)
                .rows(rowAddresses)
                .tableRows(tableRows)
                .width(widths)
                .indices(index.address())
                .count(index.length())
                .total(total);
        kernels.launchElements(vectors ? gatherVectors : gatherRows, index.length() * total, gatherParams);
    }

    /** Notes addresses and shapes; whether all rows of all tables are whole vectors. */
    private boolean note(String operation, List<TableRows> tables) {
        boolean vectors = true;
        for (int t = 0; t < tables.size(); t++) {
            TableRows of = tables.get(t);
            CudaArray table = memory.words(operation, "table", of.table());
            CudaArray rows = memory.words(operation, "rows", of.rows());
            vectors &= of.width() % VECTOR == 0 && isAligned(table.address()) && isAligned(rows.address());
            tableAddresses[t] = table.address();
            rowAddresses[t] = rows.address();
            tableRows[t] = table.length() / of.width();
            widths[t] = of.width();
        }
        return vectors;
    }

    /** The sum of the widths of so many tables, which become those of rows of vectors if they are. */
    private long total(int tables, boolean vectors) {
        long total = 0;
        for (int t = 0; t < TABLES; t++) {
            widths[t] = t >= tables ? 0 : vectors ? widths[t] / VECTOR : widths[t];
            total += widths[t];
        }
        return total;
    }

    void placeRows(RowPlaces places, List<TableRows> tables) {
        MathChecks.placeRows(places, tables);
        CudaArray index = memory.resolve("placeRows", "indices", DType.I32, places.indices());
        long units = memory.addressOfIntegers("placeRows", "units", places.units());
        for (int first = 0; first < tables.size(); first += TABLES) {
            List<TableRows> some = tables.subList(first, Math.min(tables.size(), first + TABLES));
            boolean vectors = note("placeRows", some);
            for (TableRows of : some) {
                requireApart("placeRows", (CudaArray) of.table(), (CudaArray) of.rows(), index);
            }
            long total = total(some.size(), vectors);
            placeParams
                    .table(tableAddresses)
                    .rows(rowAddresses)
                    .tableRows(tableRows)
                    .width(widths)
                    .units(units)
                    .indices(index.address())
                    .count(index.length())
                    .total(total)
                    .stride(places.stride())
                    .shift(places.shift())
                    .extent(places.extent())
                    .wraps(places.wraps() ? 1 : 0);
            kernels.launchElements(vectors ? placeVectors : placeRows, index.length() * total, placeParams);
        }
    }

    void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        MathChecks.scatterAddRows(x, width, indices, table);
        CudaArray from = memory.floats("scatterAddRows", "x", x);
        CudaArray index = memory.resolve("scatterAddRows", "indices", DType.I32, indices);
        CudaArray to = memory.floats("scatterAddRows", "table", table);
        requireApart("scatterAddRows", to, from, index);
        long count = index.length();
        long tableRows = to.length() / width;
        if (count == 0 || tableRows == 0) {
            return;
        }
        try (CudaScope scope = memory.openScope()) {
            long keys = scope.scratch(DType.I32, count);
            long partial = scope.scratch(DType.F32, from.length());
            int splits = (int) Math.max(1, Math.min(512 / tableRows, tiles(width, WARP)));
            scatterParams
                    .table(to.address())
                    .rows(from.address())
                    .indices(index.address())
                    .keys(keys)
                    .partial(partial)
                    .tableRows(tableRows)
                    .count(count)
                    .width(width)
                    .splits(splits);
            kernels.launch(scatterChunks, tiles(count, THREADS), scatterParams);
            kernels.launchShared(scatterTable, tableRows * splits, scatterParams.again());
        }
    }
}
