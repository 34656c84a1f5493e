// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.params.LinearLayersBackwardParams;
import org.fovea.backend.cuda.params.LinearLayersParams;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LinearGradients;
import org.fovea.backend.math.LinearRows;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/** Some linear layers of the same sizes in one launch, and all of their gradients in another. */
final class CudaLayers {
    /** As in kernels/nn/params.h. */
    private static final int LAYERS = 4;

    /** Tiles of one weight's gradient that can be counted. */
    private static final int COUNTERS = CudaKernels.COUNTERS / LAYERS;

    private final CudaContext context;
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final CudaLinear linear;
    private final CudaKernels.Kernel[] tiles;
    private final CudaKernels.Kernel[] backwardTiles;
    private final LinearLayersParams params;
    private final LinearLayersBackwardParams backwardParams;

    CudaLayers(CudaContext context, CudaMemory memory, CudaKernels kernels, CudaLinear linear) {
        this.context = context;
        this.memory = memory;
        this.kernels = kernels;
        this.linear = linear;
        tiles = Arrays.stream(GemmTile.ALL)
                .map(tile -> kernels.find(tile.layersName(), tile.threads(), tile.sharedBytes()))
                .toArray(CudaKernels.Kernel[]::new);
        backwardTiles = Arrays.stream(GemmTile.ALL)
                .map(tile -> kernels.find(tile.layersBackwardName(), tile.threads(), tile.sharedBytes()))
                .toArray(CudaKernels.Kernel[]::new);
        params = new LinearLayersParams(kernels.parameters());
        backwardParams = new LinearLayersBackwardParams(kernels.parameters());
    }

    /** Whether the layers are for one launch: where there are few rows a sum is split, which takes a second one. */
    boolean takes(int in, int out, List<LinearRows> layers) {
        return layers.size() <= LAYERS && plan(in, out, layers).splits() == 1;
    }

    private GemmTile.Plan plan(int in, int out, List<LinearRows> layers) {
        int rows = layers.stream().mapToInt(LinearRows::rows).sum();
        return GemmTile.choose(Gemm.dense(false, false, rows, out, in), context.multiprocessors());
    }

    /** {@code y = x W + bias} of each. */
    void apply(int in, int out, List<LinearRows> layers) {
        long[] x = new long[LAYERS];
        long[] weight = new long[LAYERS];
        long[] bias = new long[LAYERS];
        long[] y = new long[LAYERS];
        int[] rows = new int[LAYERS];
        GemmTile.Plan plan = plan(in, out, layers);
        long blocks = 0;
        for (int i = 0; i < layers.size(); i++) {
            LinearRows of = layers.get(i);
            MathChecks.linear(of.rows(), in, out, of.x(), of.weight(), of.bias(), of.y());
            CudaArray xs = memory.floats("linear", "x", of.x());
            CudaArray weights = memory.floats("linear", "weight", of.weight());
            CudaArray biases = memory.floats("linear", "bias", of.bias());
            CudaArray ys = memory.floats("linear", "y", of.y());
            requireApart("linear", ys, xs, weights, biases);
            x[i] = xs.address();
            weight[i] = weights.address();
            bias[i] = biases.address();
            y[i] = ys.address();
            rows[i] = of.rows();
            blocks += GemmTile.ALL[plan.tile()].tiles(of.rows(), out);
        }
        if (blocks == 0) {
            return;
        }
        params.x(x).weight(weight).bias(bias).y(y).rows(rows).in(in).out(out).precision(context.precision());
        kernels.launch(tiles[plan.tile()], blocks, params);
    }

    /**
     * Whether all gradients of all layers are for one launch: each is for one by itself, and what one adds is the dx of the layer
     * just before it or of none.
     */
    boolean takesBackward(List<LinearGradients<DeviceArray>> layers) {
        if (layers.size() > LAYERS || !layers.stream().allMatch(linear::takesBackward)) {
            return false;
        }
        for (int i = 2; i < layers.size(); i++) {
            for (LinearGradients<DeviceArray> before : layers.subList(0, i - 1)) {
                if (before.dx() != null && before.dx() == layers.get(i).added()) {
                    return false;
                }
            }
        }
        return true;
    }

    /** All gradients that are wanted, those of the weights among them. */
    void backward(List<LinearGradients<DeviceArray>> layers) {
        int in = layers.get(0).in();
        int out = layers.get(0).out();
        // The layers differ in their rows alone, and not by much: the tile of one is good for all.
        int chosen = linear.backwardPlan(layers.get(0), COUNTERS).tile();
        GemmTile tile = GemmTile.ALL[chosen];
        long blocks = 0;
        long[] x = new long[LAYERS];
        long[] weight = new long[LAYERS];
        long[] dy = new long[LAYERS];
        long[] added = new long[LAYERS];
        long[] dx = new long[LAYERS];
        long[] dWeight = new long[LAYERS];
        long[] dBias = new long[LAYERS];
        long[] partial = new long[LAYERS];
        int[] rows = new int[LAYERS];
        int[] splits = new int[LAYERS];
        int[] splitDepth = new int[LAYERS];
        try (CudaScope scope = memory.openScope()) {
            for (int i = layers.size() - 1; i >= 0; i--) {
                LinearGradients<CudaArray> args = linear.resolve(layers.get(i));
                GemmTile.Plan plan = linear.backwardPlan(layers.get(i), COUNTERS);
                boolean isAddedByNext = i + 1 < layers.size()
                        && layers.get(i).dx() == layers.get(i + 1).added();
                x[i] = args.x().address();
                weight[i] = args.weight().address();
                dy[i] = args.dy().address();
                added[i] = CudaLinear.addressOf(args.added());
                dx[i] = CudaLinear.addressOf(args.dx());
                if (dx[i] != 0 && isAddedByNext) {
                    dx[i] = dx[i + 1];
                    added[i + 1] = dx[i + 1];
                } else if (dx[i] != 0) {
                    blocks += tile.tiles(args.rows(), in);
                }
                dWeight[i] = CudaLinear.addressOf(args.dWeight());
                dBias[i] = CudaLinear.addressOf(args.dBias());
                rows[i] = args.rows();
                splits[i] = plan.splits();
                splitDepth[i] = plan.splitDepth();
                partial[i] = splits[i] == 1 ? 0 : scope.scratch(DType.F32, splits[i] * (in + 1L) * out);
                blocks += splits[i] * tile.tiles(in, out);
            }
            if (blocks == 0) {
                return;
            }
            backwardParams
                    .x(x)
                    .weight(weight)
                    .dy(dy)
                    .added(added)
                    .dx(dx)
                    .dWeight(dWeight)
                    .dBias(dBias)
                    .partial(partial)
                    .counters(kernels.counters())
                    .rows(rows)
                    .splits(splits)
                    .splitDepth(splitDepth)
                    .in(in)
                    .out(out)
                    .precision(context.precision());
            kernels.launch(backwardTiles[chosen], blocks, backwardParams);
        }
    }
}
