package org.fovea.backend.cuda.math;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.params.LayerNormBackwardParams;
import org.fovea.backend.cuda.params.LayerNormGradientsParams;
import org.fovea.backend.cuda.params.LayerNormParams;
import org.fovea.backend.cuda.params.RotaryParams;
import org.fovea.backend.cuda.params.SoftmaxParams;
import org.fovea.backend.cuda.params.StandardizeParams;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/** The fused row-wise operations of {@link org.fovea.backend.math.MathOps} as kernel launches. */
public abstract class CudaRows extends CudaMath {

    /** Elements of a row that a warp takes; a longer one has a block. As in kernels/common/rows.cuh. */
    private static final int WARP_ROW = 256;

    /** Most blocks of a launch that leaves sums over its rows, one per block: enough to fill a device of any size. */
    private static final int SUMMING_BLOCKS = 512;

    /** Elements whose moments one block works out. As in kernels/nn/standardize.cu. */
    private static final int STANDARDIZE_CHUNK = 4096;

    private final Kernels.Kernel softmax;
    private final Kernels.Kernel logSoftmax;
    private final Kernels.Kernel layerNorm;
    private final Kernels.Kernel layerNormBackward;
    private final Kernels.Kernel layerNormGradients;
    private final Kernels.Kernel rotary;
    private final Kernels.Kernel standardizeMoments;
    private final Kernels.Kernel standardize;
    private final SoftmaxParams softmaxParams;
    private final LayerNormParams layerNormParams;
    private final LayerNormBackwardParams layerNormBackwardParams;
    private final LayerNormGradientsParams layerNormGradientsParams;
    private final RotaryParams rotaryParams;
    private final StandardizeParams standardizeParams;

    protected CudaRows(CudaContext context) {
        super(context);
        softmax = kernels.find("softmax", THREADS, 0);
        logSoftmax = kernels.find("log_softmax", THREADS, 0);
        layerNorm = kernels.find("layer_norm", THREADS, 0);
        layerNormBackward = kernels.find("layer_norm_backward", THREADS, 0);
        layerNormGradients = kernels.find("layer_norm_gradients", THREADS, 0);
        rotary = kernels.find("rotary", THREADS, 0);
        standardizeMoments = kernels.find("standardize_moments", THREADS, 0);
        standardize = kernels.find("standardize", THREADS, 0);
        softmaxParams = new SoftmaxParams(kernels.parameters());
        layerNormParams = new LayerNormParams(kernels.parameters());
        layerNormBackwardParams = new LayerNormBackwardParams(kernels.parameters());
        layerNormGradientsParams = new LayerNormGradientsParams(kernels.parameters());
        rotaryParams = new RotaryParams(kernels.parameters());
        standardizeParams = new StandardizeParams(kernels.parameters());
    }

    /** Blocks that take rows of this width once. */
    static long rowBlocks(long rows, int width) {
        return width > WARP_ROW ? rows : tiles(rows, THREADS / lanes(width));
    }

    /** Blocks of a launch that leaves sums over its rows: of the shape alone, so that the sums are too. */
    public static int summingBlocks(long rows, int width) {
        return (int) Math.min(SUMMING_BLOCKS, rowBlocks(rows, width));
    }

    @Override
    public final void softmax(int rows, int width, DeviceArray x, DeviceArray y) {
        launchSoftmax("softmax", softmax, rows, width, x, y);
    }

    @Override
    public final void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y) {
        launchSoftmax("logSoftmax", logSoftmax, rows, width, x, y);
    }

    private void launchSoftmax(
            String operation, Kernels.Kernel kernel, int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax(operation, rows, width, x, y);
        CudaArray from = floats(operation, "x", x);
        CudaArray to = floats(operation, "y", y);
        requireApartOrSame(operation, to, from);
        launchBlocks(
                kernel,
                rowBlocks(rows, width),
                softmaxParams.x(from.address()).y(to.address()).rows(rows).width(width));
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
        CudaArray from = floats("layerNorm", "x", x);
        CudaArray gains = floats("layerNorm", "gain", gain);
        CudaArray biases = floats("layerNorm", "bias", bias);
        CudaArray to = floats("layerNorm", "y", y);
        CudaArray means = floats("layerNorm", "mean", mean);
        CudaArray reciprocals = floats("layerNorm", "reciprocalStd", reciprocalStd);
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
                .rows(rows)
                .width(width)
                .epsilon(epsilon);
        launchBlocks(layerNorm, rowBlocks(rows, width), layerNormParams);
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
        String operation = "layerNormBackward";
        MathChecks.layerNormBackward(rows, width, x, gain, mean, reciprocalStd, dy, dx, dGain, dBias);
        CudaArray from = floats(operation, "x", x);
        CudaArray gains = floats(operation, "gain", gain);
        CudaArray means = floats(operation, "mean", mean);
        CudaArray reciprocals = floats(operation, "reciprocalStd", reciprocalStd);
        CudaArray upstream = floats(operation, "dy", dy);
        CudaArray to = floats(operation, "dx", dx);
        CudaArray toGain = floats(operation, "dGain", dGain);
        CudaArray toBias = floats(operation, "dBias", dBias);
        requireApartOrSame(operation, to, from);
        requireApartOrSame(operation, to, upstream);
        requireApart(operation, to, gains, means, reciprocals);
        requireApart(operation, toGain, from, gains, means, reciprocals, upstream, to);
        requireApart(operation, toBias, from, gains, means, reciprocals, upstream, to, toGain);
        int blocks = summingBlocks(rows, width);
        try (Scope scope = openScope()) {
            long partial = scratch(scope, DType.F32, 2L * blocks * width);
            if (blocks > 0) {
                layerNormBackwardParams
                        .x(from.address())
                        .gain(gains.address())
                        .mean(means.address())
                        .reciprocalStd(reciprocals.address())
                        .dy(upstream.address())
                        .dx(to.address())
                        .partial(partial)
                        .rows(rows)
                        .width(width);
                kernels.launch(layerNormBackward, blocks, layerNormBackwardParams);
            }
            if (width > 0) {
                layerNormGradientsParams
                        .partial(partial)
                        .dGain(toGain.address())
                        .dBias(toBias.address())
                        .blocks(blocks)
                        .width(width);
                kernels.launch(layerNormGradients, tiles(2L * width, WARP), layerNormGradientsParams);
            }
        }
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
        CudaArray from = floats("rotary", "x", x);
        CudaArray position = resolve("rotary", "positions", DType.I32, positions);
        CudaArray to = floats("rotary", "y", y);
        requireApartOrSame("rotary", to, from);
        requireApart("rotary", to, position);
        if (from.length() == 0) {
            return;
        }
        int half = headDim / 2;
        long parts = tiles(half, THREADS);
        long rowBlocks = tiles(rows, THREADS / Math.min(half, THREADS));
        rotaryParams
                .x(from.address())
                .positions(position.address())
                .y(to.address())
                .log2Base(Math.log(base) / Math.log(2))
                .rows(rows)
                .heads(heads)
                .half(half)
                .sign(sign);
        // A multiple of the parts, which share a row.
        kernels.launch(rotary, parts * Math.min(rowBlocks, 16L * context.multiprocessors()), rotaryParams);
    }

    @Override
    public final void standardize(float epsilon, DeviceArray x, DeviceArray y) {
        MathChecks.standardize(x, y);
        CudaArray from = floats("standardize", "x", x);
        CudaArray to = floats("standardize", "y", y);
        requireApartOrSame("standardize", to, from);
        long chunks = tiles(from.length(), STANDARDIZE_CHUNK);
        if (chunks == 0) {
            return;
        }
        try (Scope scope = openScope()) {
            long means = scratch(scope, DType.F32, chunks);
            long squares = scratch(scope, DType.F32, chunks);
            standardizeParams
                    .x(from.address())
                    .y(to.address())
                    .means(means)
                    .squares(squares)
                    .count(from.length())
                    .epsilon(epsilon);
            kernels.launch(standardizeMoments, chunks, standardizeParams);
            launch(standardize, tiles(from.length(), VECTOR), standardizeParams.again());
        }
    }
}
