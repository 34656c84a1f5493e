// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;
import static org.fovea.backend.cuda.driver.CudaArray.requireApartOrSame;
import static org.fovea.backend.cuda.driver.Grid.THREADS;
import static org.fovea.backend.cuda.driver.Grid.VECTOR;
import static org.fovea.backend.cuda.driver.Grid.lanes;
import static org.fovea.backend.cuda.driver.Grid.rowBlocks;
import static org.fovea.backend.cuda.driver.Grid.summingBlocks;
import static org.fovea.backend.cuda.driver.Grid.tiles;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.params.LayerNormBackwardParams;
import org.fovea.backend.cuda.params.LayerNormParams;
import org.fovea.backend.cuda.params.ReduceParams;
import org.fovea.backend.cuda.params.RotaryParams;
import org.fovea.backend.cuda.params.SoftmaxParams;
import org.fovea.backend.cuda.params.StandardizeParams;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.RotaryRows;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.jspecify.annotations.Nullable;

/** Reductions and row-wise operations of {@link org.fovea.backend.math.MathOps} as kernel launches. */
final class CudaRows {
    /** Elements of a row, or of a column, that need not be shared out over a block. */
    private static final int SHORT_ROW = 1024;

    private static final int SHORT_COLUMN = 32;

    /** Elements whose moments one block works out. As in kernels/nn/standardize.cu. */
    private static final int STANDARDIZE_CHUNK = 4096;

    private final CudaContext context;
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final CudaKernels.Kernel reduceShort;
    private final CudaKernels.Kernel reduceLong;
    private final CudaKernels.Kernel softmax;
    private final CudaKernels.Kernel logSoftmax;
    private final CudaKernels.Kernel layerNorm;
    private final CudaKernels.Kernel layerNormBackward;
    private final CudaKernels.Kernel rotary;
    private final CudaKernels.Kernel standardizeMoments;
    private final CudaKernels.Kernel standardize;
    private final long[] rotaryInputs = new long[2];
    private final long[] rotaryPositions = new long[2];
    private final long[] rotaryOutputs = new long[2];
    private final long[] rotaryCounts = new long[2];
    private final ReduceParams reduceParams;
    private final SoftmaxParams softmaxParams;
    private final LayerNormParams layerNormParams;
    private final LayerNormBackwardParams layerNormBackwardParams;
    private final RotaryParams rotaryParams;
    private final StandardizeParams standardizeParams;

    CudaRows(CudaContext context, CudaMemory memory, CudaKernels kernels) {
        this.context = context;
        this.memory = memory;
        this.kernels = kernels;
        reduceShort = kernels.find("reduce_short");
        reduceLong = kernels.find("reduce_long");
        softmax = kernels.find("softmax");
        logSoftmax = kernels.find("log_softmax");
        layerNorm = kernels.find("layer_norm");
        layerNormBackward = kernels.find("layer_norm_backward");
        rotary = kernels.find("rotary");
        standardizeMoments = kernels.find("standardize_moments");
        standardize = kernels.find("standardize");
        reduceParams = new ReduceParams(kernels.parameters());
        softmaxParams = new SoftmaxParams(kernels.parameters());
        layerNormParams = new LayerNormParams(kernels.parameters());
        layerNormBackwardParams = new LayerNormBackwardParams(kernels.parameters());
        rotaryParams = new RotaryParams(kernels.parameters());
        standardizeParams = new StandardizeParams(kernels.parameters());
    }

    void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        MathChecks.reduce(outer, reduced, inner, x, y);
        CudaArray xs = memory.floats("reduce", "x", x);
        CudaArray ys = memory.floats("reduce", "y", y);
        requireApart("reduce", ys, xs);
        boolean isShort = inner == 1 ? reduced <= SHORT_ROW : reduced <= SHORT_COLUMN;
        long chunks = isShort ? 1 : chunks(outer, reduced, inner);
        if (chunks == 1) {
            launchReduce(op, isShort, outer, reduced, inner, reduced, xs.address(), ys.address());
            return;
        }
        long chunk = tiles(reduced, (int) chunks);
        chunks = tiles(reduced, (int) chunk);
        try (CudaScope scope = memory.openScope()) {
            long partial = scope.scratch(DType.F32, chunks * ys.length());
            launchReduce(op, false, outer, reduced, inner, chunk, xs.address(), partial);
            launchReduce(op, chunks <= SHORT_COLUMN, outer, chunks, inner, chunks, partial, ys.address());
        }
    }

    /** Into how many parts to cut long folds so that they fill a device: of the shape alone, so that sums are too. */
    private static long chunks(int outer, int reduced, int inner) {
        int columns = lanes(inner);
        long blocks = outer * tiles(inner, columns);
        long threadsOfColumn = THREADS / columns;
        long longEnough = reduced / (8 * threadsOfColumn);
        return Math.max(1, Math.min(512 / Math.max(1, blocks), longEnough));
    }

    private void launchReduce(
            ReduceOp op, boolean isShort, long outer, long reduced, long inner, long chunk, long x, long y) {
        long chunks = reduced == 0 ? 1 : tiles(reduced, (int) chunk);
        int lanes = inner == 1 ? lanes(reduced) : 1;
        int columns = lanes(inner);
        reduceParams
                .x(x)
                .y(y)
                .outer(outer)
                .reduced(reduced)
                .inner(inner)
                .chunk(chunk)
                .chunks(chunks)
                .lanes(lanes)
                .columns(columns)
                .op(op.ordinal());
        if (isShort) {
            kernels.launchElements(reduceShort, outer * chunks * inner * lanes, reduceParams);
        } else {
            kernels.launchShared(reduceLong, outer * chunks * tiles(inner, columns), reduceParams);
        }
    }

    void softmax(int rows, int width, DeviceArray x, DeviceArray y) {
        launchSoftmax("softmax", softmax, rows, width, x, y);
    }

    void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y) {
        launchSoftmax("logSoftmax", logSoftmax, rows, width, x, y);
    }

    private void launchSoftmax(
            String operation, CudaKernels.Kernel kernel, int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax(operation, rows, width, x, y);
        CudaArray from = memory.floats(operation, "x", x);
        CudaArray to = memory.floats(operation, "y", y);
        requireApartOrSame(operation, to, from);
        kernels.launchShared(
                kernel,
                rowBlocks(rows, width),
                softmaxParams.x(from.address()).y(to.address()).rows(rows).width(width));
    }

    void layerNorm(LayerNormArgs<DeviceArray> args, float epsilon, DeviceArray bias, DeviceArray y) {
        MathChecks.layerNorm(args, bias, y);
        CudaArray from = memory.floats("layerNorm", "x", args.x());
        CudaArray gains = memory.floats("layerNorm", "gain", args.gain());
        CudaArray biases = memory.floats("layerNorm", "bias", bias);
        CudaArray to = memory.floats("layerNorm", "y", y);
        CudaArray means = memory.floats("layerNorm", "mean", args.mean());
        CudaArray reciprocals = memory.floats("layerNorm", "reciprocalStd", args.reciprocalStd());
        requireApartOrSame("layerNorm", to, from);
        requireApart("layerNorm", to, gains, biases);
        requireApart("layerNorm", means, from, gains, biases, to);
        requireApart("layerNorm", reciprocals, from, gains, biases, to, means);
        layerNormParams
                .x(from.address())
                .gain(gains.address())
                .bias(biases.address())
                .y(to.address())
                .mean(means.address())
                .reciprocalStd(reciprocals.address())
                .rows(args.rows())
                .width(args.width())
                .epsilon(epsilon);
        kernels.launchShared(layerNorm, rowBlocks(args.rows(), args.width()), layerNormParams);
    }

    void layerNormBackward(
            LayerNormArgs<DeviceArray> args,
            DeviceArray dy,
            @Nullable DeviceArray added,
            DeviceArray dx,
            DeviceArray dGain,
            DeviceArray dBias) {
        String operation = "layerNormBackward";
        MathChecks.layerNormBackward(args, dy, dx, dGain, dBias);
        int width = args.width();
        CudaArray from = memory.floats(operation, "x", args.x());
        CudaArray gains = memory.floats(operation, "gain", args.gain());
        CudaArray means = memory.floats(operation, "mean", args.mean());
        CudaArray reciprocals = memory.floats(operation, "reciprocalStd", args.reciprocalStd());
        CudaArray upstream = memory.floats(operation, "dy", dy);
        CudaArray to = memory.floats(operation, "dx", dx);
        CudaArray toGain = memory.floats(operation, "dGain", dGain);
        CudaArray toBias = memory.floats(operation, "dBias", dBias);
        requireApartOrSame(operation, to, from);
        requireApartOrSame(operation, to, upstream);
        requireApart(operation, to, gains, means, reciprocals);
        CudaArray more = added == null ? null : memory.floats(operation, "added", added);
        if (more != null) {
            OperandChecks.sameLength(operation, "added", more, "dx", to);
            requireApartOrSame(operation, to, more);
        }
        requireApart(operation, toGain, from, gains, means, reciprocals, upstream, to);
        requireApart(operation, toBias, from, gains, means, reciprocals, upstream, to, toGain);
        if (width == 0) {
            return;
        }
        int blocks = Math.max(1, summingBlocks(args.rows(), width));
        try (CudaScope scope = memory.openScope()) {
            layerNormBackwardParams
                    .x(from.address())
                    .gain(gains.address())
                    .mean(means.address())
                    .reciprocalStd(reciprocals.address())
                    .dy(upstream.address())
                    .added(more == null ? 0 : more.address())
                    .dx(to.address())
                    .dGain(toGain.address())
                    .dBias(toBias.address())
                    .partial(scope.scratch(DType.F32, 2L * blocks * width))
                    .counter(kernels.counters())
                    .rows(args.rows())
                    .width(width);
            kernels.launch(layerNormBackward, blocks, layerNormBackwardParams);
        }
    }

    void rotary(int heads, int headDim, float base, int sign, RotaryRows first, @Nullable RotaryRows second) {
        long rows = put(0, heads, headDim, sign, first);
        if (second == null) {
            rotaryCounts[1] = 0;
        } else {
            rows += put(1, heads, headDim, sign, second);
            CudaArray to = memory.floats("rotary", "y", first.y());
            CudaArray toSecond = memory.floats("rotary", "y", second.y());
            requireApart("rotary", to, memory.floats("rotary", "x", second.x()), toSecond);
            requireApart("rotary", toSecond, memory.floats("rotary", "x", first.x()));
        }
        if (rows == 0 || heads * headDim == 0) {
            return;
        }
        int half = headDim / 2;
        long parts = tiles(half, THREADS);
        long rowBlocks = tiles(rows, THREADS / Math.min(half, THREADS));
        rotaryParams
                .x(rotaryInputs)
                .positions(rotaryPositions)
                .y(rotaryOutputs)
                .rows(rotaryCounts)
                .log2Base(Math.log(base) / Math.log(2))
                .heads(heads)
                .half(half)
                .sign(sign);
        // A multiple of the parts, which share a row.
        kernels.launch(rotary, parts * Math.min(rowBlocks, 16L * context.multiprocessors()), rotaryParams);
    }

    /** Notes the rows that will be turned; returns how many. */
    private int put(int array, int heads, int headDim, int sign, RotaryRows of) {
        MathChecks.rotary(of.rows(), heads, headDim, sign, of.x(), of.positions(), of.y());
        CudaArray from = memory.floats("rotary", "x", of.x());
        CudaArray position = memory.resolve("rotary", "positions", DType.I32, of.positions());
        CudaArray to = memory.floats("rotary", "y", of.y());
        requireApartOrSame("rotary", to, from);
        requireApart("rotary", to, position);
        rotaryInputs[array] = from.address();
        rotaryPositions[array] = position.address();
        rotaryOutputs[array] = to.address();
        rotaryCounts[array] = of.rows();
        return of.rows();
    }

    void standardize(float epsilon, DeviceArray x, DeviceArray y) {
        MathChecks.standardize(x, y);
        CudaArray from = memory.floats("standardize", "x", x);
        CudaArray to = memory.floats("standardize", "y", y);
        requireApartOrSame("standardize", to, from);
        long chunks = tiles(from.length(), STANDARDIZE_CHUNK);
        if (chunks == 0) {
            return;
        }
        try (CudaScope scope = memory.openScope()) {
            long means = scope.scratch(DType.F32, chunks);
            long squares = scope.scratch(DType.F32, chunks);
            standardizeParams
                    .x(from.address())
                    .y(to.address())
                    .means(means)
                    .squares(squares)
                    .count(from.length())
                    .epsilon(epsilon);
            kernels.launch(standardizeMoments, chunks, standardizeParams);
            kernels.launchElements(standardize, tiles(from.length(), VECTOR), standardizeParams.again());
        }
    }
}
