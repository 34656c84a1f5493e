// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;
import static org.fovea.backend.cuda.driver.CudaArray.requireApartOrSame;
import static org.fovea.backend.cuda.driver.Grid.VECTOR;
import static org.fovea.backend.cuda.driver.Grid.isAligned;
import static org.fovea.backend.cuda.driver.Grid.tiles;

import java.util.List;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.params.CastParams;
import org.fovea.backend.cuda.params.IotaParams;
import org.fovea.backend.cuda.params.MapParams;
import org.fovea.backend.cuda.params.SelectParams;
import org.fovea.backend.cuda.params.UniformParams;
import org.fovea.backend.cuda.params.ZipParams;
import org.fovea.backend.cuda.params.ZipRowsParams;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.LinearGradients;
import org.fovea.backend.math.LinearRows;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.RotaryRows;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.StridedAxes;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * The mathematical operations as kernel launches, which return at once: elementwise maps, casts, products and random numbers
 * here, reductions and row-wise operations in {@link CudaRows}, strided and indexed copies in {@link CudaMovement}.
 */
public final class CudaMath implements MathOps {
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final CudaGemm gemm;
    private final CudaLinear linear;
    private final CudaLayers layers;
    private final CudaMovement movement;
    private final CudaRows rows;
    private final StridedAxes axes = new StridedAxes();
    private final CudaKernels.Kernel cast;
    private final CudaKernels.Kernel map;
    private final CudaKernels.Kernel zip;
    private final CudaKernels.Kernel zipRows;
    private final CudaKernels.Kernel select;
    private final CudaKernels.Kernel iota;
    private final CudaKernels.Kernel uniform;
    private final CastParams castParams;
    private final MapParams mapParams;
    private final ZipParams zipParams;
    private final ZipRowsParams zipRowsParams;
    private final SelectParams selectParams;
    private final IotaParams iotaParams;
    private final UniformParams uniformParams;

    public CudaMath(CudaContext context, CudaMemory memory, CudaKernels kernels, Cublas cublas) {
        this.memory = memory;
        this.kernels = kernels;
        gemm = new CudaGemm(context, memory, kernels, cublas);
        linear = new CudaLinear(context, memory, kernels, gemm);
        layers = new CudaLayers(context, memory, kernels, linear);
        movement = new CudaMovement(memory, kernels);
        rows = new CudaRows(context, memory, kernels);
        cast = kernels.find("cast");
        map = kernels.find("map_unary");
        zip = kernels.find("zip_binary");
        zipRows = kernels.find("zip_rows");
        select = kernels.find("select_elements");
        iota = kernels.find("iota");
        uniform = kernels.find("uniform");
        castParams = new CastParams(kernels.parameters());
        mapParams = new MapParams(kernels.parameters());
        zipParams = new ZipParams(kernels.parameters());
        zipRowsParams = new ZipRowsParams(kernels.parameters());
        selectParams = new SelectParams(kernels.parameters());
        iotaParams = new IotaParams(kernels.parameters());
        uniformParams = new UniformParams(kernels.parameters());
    }

    @Override
    public void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
        MathChecks.gemm(g, a, b, c);
        CudaArray as = memory.floats("gemm", "a", a);
        CudaArray bs = memory.floats("gemm", "b", b);
        CudaArray cs = memory.floats("gemm", "c", c);
        requireApart("gemm", cs, as, bs);
        gemm.multiply(g, as.address(), bs.address(), cs.address(), 0, Activation.NONE, 0);
    }

    @Override
    public void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        linear.apply(rows, in, out, x, weight, bias, activation, null, y);
    }

    @Override
    public void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            DeviceArray added,
            DeviceArray y) {
        linear.apply(rows, in, out, x, weight, bias, Activation.NONE, added, y);
    }

    @Override
    public void linearBackward(LinearGradients<DeviceArray> args) {
        if (linear.takesBackward(args)) {
            linear.backward(args);
        } else {
            MathOps.super.linearBackward(args);
        }
    }

    @Override
    public void linear(int in, int out, List<LinearRows> rowsOfLayers) {
        if (layers.takes(in, out, rowsOfLayers)) {
            layers.apply(in, out, rowsOfLayers);
        } else {
            MathOps.super.linear(in, out, rowsOfLayers);
        }
    }

    @Override
    public void linearBackward(List<LinearGradients<DeviceArray>> gradients) {
        if (layers.takesBackward(gradients)) {
            layers.backward(gradients);
        } else {
            MathOps.super.linearBackward(gradients);
        }
    }

    @Override
    public void cast(DeviceArray x, DeviceArray y) {
        MathChecks.cast(x, y);
        CudaArray xs = memory.floating("cast", "x", x);
        CudaArray ys = memory.floating("cast", "y", y);
        if (xs.dtype() == ys.dtype()) {
            requireApartOrSame("cast", ys, xs);
        } else {
            requireApart("cast", ys, xs);
        }
        castParams
                .x(xs.address())
                .y(ys.address())
                .count(ys.length())
                .from(CudaKernels.storage(xs.dtype()))
                .to(CudaKernels.storage(ys.dtype()));
        kernels.launchElements(cast, ys.length(), castParams);
    }

    @Override
    public void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathChecks.map(x, y);
        CudaArray xs = memory.floats("map", "x", x);
        CudaArray ys = memory.floats("map", "y", y);
        requireApartOrSame("map", ys, xs);
        long count = xs.length();
        mapParams.x(xs.address()).y(ys.address()).count(count).op(op.ordinal());
        kernels.launchElements(map, tiles(count, VECTOR), mapParams);
    }

    @Override
    public void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        MathChecks.zip(shape, a, strideA, b, strideB, y);
        CudaArray as = memory.words("zip", "a", a);
        CudaArray bs = memory.words("zip", "b", b);
        CudaArray ys = memory.floats("zip", "y", y);
        requireApartOrSame("zip", ys, as);
        requireApartOrSame("zip", ys, bs);
        axes.set(shape, strideA, strideB);
        boolean floating = as.dtype() == DType.F32 && bs.dtype() == DType.F32;
        if (floating && axes.count() <= 2 && isZeroOrOne(axes.first(0)) && isZeroOrOne(axes.second(0))) {
            zipRows(op, as, bs, ys);
            return;
        }
        zipParams
                .a(as.address())
                .b(bs.address())
                .y(ys.address())
                .count(ys.length())
                .shape(axes.shape())
                .strideA(axes.first())
                .strideB(axes.second())
                .aIsInteger(as.dtype() == DType.I32 ? 1 : 0)
                .bIsInteger(bs.dtype() == DType.I32 ? 1 : 0)
                .op(op.ordinal());
        kernels.launchElements(zip, ys.length(), zipParams);
    }

    private static boolean isZeroOrOne(int stride) {
        return stride == 0 || stride == 1;
    }

    /** Of operands that are dense, one number, one row for all or one number per row, as {@link #axes} has them. */
    private void zipRows(BinaryOp op, CudaArray a, CudaArray b, CudaArray y) {
        long rows = axes.extent(1);
        long width = axes.extent(0);
        boolean vectors = isAligned(y.address())
                && (rows == 1 || width % VECTOR == 0)
                && takesVectors(a, axes.first(1), axes.first(0))
                && takesVectors(b, axes.second(1), axes.second(0));
        zipRowsParams
                .a(a.address())
                .b(b.address())
                .y(y.address())
                .rows(rows)
                .width(width)
                .aRowStride(axes.first(1))
                .bRowStride(axes.second(1))
                .aStride(axes.first(0))
                .bStride(axes.second(0))
                .vectors(vectors ? 1 : 0)
                .op(op.ordinal());
        kernels.launchElements(zipRows, vectors ? tiles(y.length(), VECTOR) : y.length(), zipRowsParams);
    }

    private static boolean takesVectors(CudaArray operand, int rowStride, int stride) {
        return stride == 0 || isAligned(operand.address()) && rowStride % VECTOR == 0;
    }

    @Override
    public void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        MathChecks.select(condition, a, b, y);
        CudaArray conditions = memory.floats("select", "condition", condition);
        CudaArray as = memory.floats("select", "a", a);
        CudaArray bs = memory.floats("select", "b", b);
        CudaArray ys = memory.floats("select", "y", y);
        requireApartOrSame("select", ys, conditions);
        requireApartOrSame("select", ys, as);
        requireApartOrSame("select", ys, bs);
        selectParams
                .condition(conditions.address())
                .a(as.address())
                .b(bs.address())
                .y(ys.address())
                .count(ys.length());
        kernels.launchElements(select, tiles(ys.length(), VECTOR), selectParams);
    }

    @Override
    public void iota(double start, double step, DeviceArray y) {
        CudaArray ys = memory.words("iota", "y", y);
        iotaParams
                .y(ys.address())
                .count(ys.length())
                .start(start)
                .step(step)
                .isInteger(ys.dtype() == DType.I32 ? 1 : 0);
        kernels.launchElements(iota, ys.length(), iotaParams);
    }

    @Override
    public void uniform(RandomRange draw, DeviceArray y) {
        MathChecks.uniform(draw, y);
        CudaArray ys = memory.floats("uniform", "y", y);
        uniformParams
                .y(ys.address())
                .counter(memory.addressOfIntegers("uniform", "counter", draw.counter()))
                .count(ys.length())
                .seed(draw.seed())
                .stream(draw.stream())
                .first(draw.first());
        // One block of four numbers more where the first one lies inside a block.
        kernels.launchElements(uniform, ys.length() == 0 ? 0 : tiles(ys.length(), 4) + 1, uniformParams);
    }

    @Override
    public void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        movement.arrange(shape, x, strideX, y, strideY);
    }

    @Override
    public void accumulate(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        movement.accumulate(shape, x, strideX, y, strideY);
    }

    @Override
    public void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        movement.gatherRows(indices, List.of(new TableRows(table, width, y)));
    }

    @Override
    public void gatherRows(DeviceArray indices, List<TableRows> tables) {
        movement.gatherRows(indices, tables);
    }

    @Override
    public void placeRows(RowPlaces places, List<TableRows> tables) {
        movement.placeRows(places, tables);
    }

    @Override
    public void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        movement.scatterAddRows(x, width, indices, table);
    }

    @Override
    public void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        rows.reduce(op, outer, reduced, inner, x, y);
    }

    @Override
    public void softmax(int count, int width, DeviceArray x, DeviceArray y) {
        rows.softmax(count, width, x, y);
    }

    @Override
    public void logSoftmax(int count, int width, DeviceArray x, DeviceArray y) {
        rows.logSoftmax(count, width, x, y);
    }

    @Override
    public void layerNorm(LayerNormArgs<DeviceArray> args, float epsilon, DeviceArray bias, DeviceArray y) {
        rows.layerNorm(args, epsilon, bias, y);
    }

    @Override
    public void layerNormBackward(
            LayerNormArgs<DeviceArray> args, DeviceArray dy, DeviceArray dx, DeviceArray dGain, DeviceArray dBias) {
        rows.layerNormBackward(args, dy, null, dx, dGain, dBias);
    }

    @Override
    public void layerNormBackward(
            LayerNormArgs<DeviceArray> args,
            DeviceArray dy,
            DeviceArray added,
            DeviceArray dx,
            DeviceArray dGain,
            DeviceArray dBias) {
        rows.layerNormBackward(args, dy, added, dx, dGain, dBias);
    }

    @Override
    public void rotary(
            int count,
            int heads,
            int headDim,
            float base,
            int sign,
            DeviceArray x,
            DeviceArray positions,
            DeviceArray y) {
        rows.rotary(heads, headDim, base, sign, new RotaryRows(count, x, positions, y), null);
    }

    @Override
    public void rotary(int heads, int headDim, float base, int sign, RotaryRows first, RotaryRows second) {
        rows.rotary(heads, headDim, base, sign, first, second);
    }

    @Override
    public void standardize(float epsilon, DeviceArray x, DeviceArray y) {
        rows.standardize(epsilon, x, y);
    }
}
