package org.fovea.backend.cpu.primitives;

import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** The fused members of {@link org.fovea.backend.math.MathOps}. */
public abstract class CpuRows extends CpuMath {
    /** Rows up to this wide are worked on in columns: they are shorter than a vector. */
    private static final int NARROW = 12;

    private volatile RotaryTable rotaryTable = new RotaryTable(2, 10_000f);

    CpuRows(Kernels kernels, Workers workers) {
        super(kernels, workers);
    }

    @Override
    public final void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        MathChecks.linear(rows, in, out, x, weight, bias, y);
        CpuArray from = use(x);
        CpuArray w = use(weight);
        CpuArray shift = bias == null ? null : use(bias);
        CpuArray to = use(y);
        requireApart("linear", "y", to, "x", from);
        requireApart("linear", "y", to, "weight", w);
        int blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK;
        pieces(blocks, 2L * rows * in * out, block -> {
            int first = block * ROW_BLOCK;
            kernels.linear(
                    Math.min(ROW_BLOCK, rows - first),
                    in,
                    out,
                    from.floats,
                    from.offset + first * in,
                    w.floats,
                    w.offset,
                    shift == null ? null : shift.floats,
                    shift == null ? 0 : shift.offset,
                    activation,
                    to.floats,
                    to.offset + first * out);
        });
    }

    @Override
    public final void softmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("softmax", rows, width, x, y);
        CpuArray from = use(x);
        CpuArray to = use(y);
        requireApartOrSame("softmax", "y", to, "x", from);
        if (width > 0 && width <= NARROW) {
            narrowSoftmax(false, rows, width, from, to);
        } else {
            rowBlocks(rows, width, (first, count) -> {
                int start = first * width;
                kernels.softmax(count, width, from.floats, from.offset + start, to.floats, to.offset + start);
            });
        }
    }

    @Override
    public final void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("logSoftmax", rows, width, x, y);
        CpuArray from = use(x);
        CpuArray to = use(y);
        requireApartOrSame("logSoftmax", "y", to, "x", from);
        if (width > 0 && width <= NARROW) {
            narrowSoftmax(true, rows, width, from, to);
        } else {
            rowBlocks(rows, width, (first, count) -> {
                int start = first * width;
                kernels.logSoftmax(count, width, from.floats, from.offset + start, to.floats, to.offset + start);
            });
        }
    }

    @FunctionalInterface
    private interface RowBlock {
        void run(int first, int count);
    }

    /** Runs a block of rows at a time, for operations whose rows do not depend on each other. */
    private void rowBlocks(int rows, int width, RowBlock block) {
        pieces((rows + ROW_BLOCK - 1) / ROW_BLOCK, MAP_FLOPS * rows * width, piece -> {
            int first = piece * ROW_BLOCK;
            block.run(first, Math.min(ROW_BLOCK, rows - first));
        });
    }

    private void narrowSoftmax(boolean log, int rows, int width, CpuArray x, CpuArray y) {
        PolicyColumns columns = PolicyColumns.of(width);
        float[] result = log ? columns.logProbs : columns.probs;
        for (int start = 0; start < rows; start += PolicyColumns.ROWS) {
            int count = Math.min(PolicyColumns.ROWS, rows - start);
            columns.load(kernels, count, x.floats, x.offset + start * width);
            if (!log) {
                columns.clearRowsOfNothing(count, x.floats, x.offset + start * width);
            }
            for (int a = 0; a < width; a++) {
                for (int r = 0; r < count; r++) {
                    y.floats[y.offset + (start + r) * width + a] = result[a * PolicyColumns.ROWS + r];
                }
            }
        }
    }

    @Override
    public final void layerNorm(
            int rows,
            int width,
            float epsilon,
            DeviceArray x,
            DeviceArray gain,
            DeviceArray bias,
            DeviceArray y,
            DeviceArray mean,
            DeviceArray reciprocalStd) {
        MathChecks.layerNorm(rows, width, x, gain, bias, y, mean, reciprocalStd);
        CpuArray from = use(x);
        CpuArray scale = use(gain);
        CpuArray shift = use(bias);
        CpuArray to = use(y);
        CpuArray means = use(mean);
        CpuArray reciprocals = use(reciprocalStd);
        requireApartOrSame("layerNorm", "y", to, "x", from);
        rowBlocks(
                rows,
                width,
                (first, count) -> kernels.layerNorm(
                        count,
                        width,
                        epsilon,
                        from.floats,
                        from.offset + first * width,
                        scale.floats,
                        scale.offset,
                        shift.floats,
                        shift.offset,
                        to.floats,
                        to.offset + first * width,
                        means.floats,
                        means.offset + first,
                        reciprocals.floats,
                        reciprocals.offset + first));
    }

    @Override
    public final void layerNormBackward(
            int rows,
            int width,
            DeviceArray x,
            DeviceArray gain,
            DeviceArray mean,
            DeviceArray reciprocalStd,
            DeviceArray dy,
            DeviceArray dx,
            DeviceArray dGain,
            DeviceArray dBias) {
        MathChecks.layerNormBackward(rows, width, x, gain, mean, reciprocalStd, dy, dx, dGain, dBias);
        CpuArray from = use(x);
        CpuArray scale = use(gain);
        CpuArray means = use(mean);
        CpuArray reciprocals = use(reciprocalStd);
        CpuArray upstream = use(dy);
        CpuArray to = use(dx);
        CpuArray toGain = use(dGain);
        CpuArray toBias = use(dBias);
        requireApartOrSame("layerNormBackward", "dx", to, "x", from);
        requireApartOrSame("layerNormBackward", "dx", to, "dy", upstream);
        requireApart("layerNormBackward", "dGain", toGain, "gain", scale);
        kernels.layerNormBackward(
                rows,
                width,
                from.floats,
                from.offset,
                scale.floats,
                scale.offset,
                means.floats,
                means.offset,
                reciprocals.floats,
                reciprocals.offset,
                upstream.floats,
                upstream.offset,
                to.floats,
                to.offset,
                toGain.floats,
                toGain.offset,
                toBias.floats,
                toBias.offset);
    }

    @Override
    public final void rotary(
            int rows,
            int heads,
            int headDim,
            float base,
            int sign,
            DeviceArray x,
            DeviceArray positions,
            DeviceArray y) {
        MathChecks.rotary(rows, heads, headDim, sign, x, positions, y);
        CpuArray from = use(x);
        CpuArray position = use(positions);
        CpuArray to = use(y);
        requireApartOrSame("rotary", "y", to, "x", from);
        if (from.length == 0) {
            return;
        }
        RotaryTable table = rotaryTable;
        if (!table.fits(headDim, base)) {
            table = new RotaryTable(headDim, base);
            rotaryTable = table;
        }
        int half = headDim / 2;
        float[] turn = new float[headDim];
        for (int r = 0; r < rows; r++) {
            table.read(position.ints[position.offset + r], turn);
            for (int h = 0; h < heads; h++) {
                int at = (r * heads + h) * headDim;
                turn(half, sign, turn, from.floats, from.offset + at, to.floats, to.offset + at);
            }
        }
    }

    private static void turn(int half, int sign, float[] turn, float[] x, int xo, float[] y, int yo) {
        for (int i = 0; i < half; i++) {
            float cos = turn[i];
            float sin = sign * turn[half + i];
            float first = x[xo + i];
            float second = x[xo + half + i];
            y[yo + i] = first * cos - second * sin;
            y[yo + half + i] = first * sin + second * cos;
        }
    }

    @Override
    public final void standardize(float epsilon, DeviceArray x, DeviceArray y) {
        MathChecks.standardize(x, y);
        CpuArray from = use(x);
        CpuArray to = use(y);
        requireApartOrSame("standardize", "y", to, "x", from);
        int n = from.length;
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += from.floats[from.offset + i];
        }
        double mean = sum / n;
        double squares = 0;
        for (int i = 0; i < n; i++) {
            double centred = from.floats[from.offset + i] - mean;
            squares += centred * centred;
        }
        float shift = (float) mean;
        float scale = (float) (1 / (Math.sqrt(squares / n) + epsilon));
        for (int i = 0; i < n; i++) {
            to.floats[to.offset + i] = (from.floats[from.offset + i] - shift) * scale;
        }
    }
}
