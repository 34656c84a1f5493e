// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;
import static org.fovea.backend.cuda.driver.CudaArray.requireApartOrSame;

import java.util.Arrays;
import java.util.Objects;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.params.LinearBackwardParams;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LinearGradients;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.jspecify.annotations.Nullable;

/** Linear layers: a product with what follows it in one launch, and all of its gradients in another. */
final class CudaLinear {
    private final CudaContext context;
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final CudaGemm gemm;
    private final CudaKernels.Kernel[] backwardTiles;
    private final LinearBackwardParams backwardParams;

    CudaLinear(CudaContext context, CudaMemory memory, CudaKernels kernels, CudaGemm gemm) {
        this.context = context;
        this.memory = memory;
        this.kernels = kernels;
        this.gemm = gemm;
        backwardTiles = Arrays.stream(GemmTile.ALL)
                .map(tile -> kernels.find(tile.backwardName(), tile.threads(), tile.sharedBytes()))
                .toArray(CudaKernels.Kernel[]::new);
        backwardParams = new LinearBackwardParams(kernels.parameters());
    }

    /** {@code y = activation(x W + bias) + added}. */
    void apply(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            @Nullable DeviceArray added,
            DeviceArray y) {
        MathChecks.linear(rows, in, out, x, weight, bias, y);
        CudaArray xs = memory.floats("linear", "x", x);
        CudaArray weights = memory.floats("linear", "weight", weight);
        CudaArray ys = memory.floats("linear", "y", y);
        requireApart("linear", ys, xs, weights);
        CudaArray biases = bias == null ? null : memory.floats("linear", "bias", bias);
        if (biases != null) {
            requireApart("linear", ys, biases);
        }
        CudaArray more = added == null ? null : memory.floats("linear", "added", added);
        if (more != null) {
            OperandChecks.sameLength("linear", "added", more, "y", ys);
            requireApartOrSame("linear", ys, more);
        }
        Gemm g = Gemm.dense(false, false, rows, out, in);
        gemm.multiply(g, xs.address(), weights.address(), ys.address(), addressOf(biases), activation, addressOf(more));
    }

    /** Whether all gradients are for one launch: unless cuBLAS takes their products, or that of the weight is not wanted. */
    boolean takesBackward(LinearGradients<DeviceArray> args) {
        return args.dWeight() != null && !gemm.leavesToCublas(ofWeight(args));
    }

    private static Gemm ofWeight(LinearGradients<?> args) {
        return Gemm.dense(true, false, args.in(), args.out(), args.rows());
    }

    /** The arrays of operands that fit. */
    LinearGradients<CudaArray> resolve(LinearGradients<DeviceArray> args) {
        MathChecks.linearBackward(args);
        LinearGradients<CudaArray> arrays = args.map(array -> memory.floats("linearBackward", "an operand", array));
        requireApartOutputs(arrays);
        return arrays;
    }

    /** @param mostTiles of the weight's gradient of which splits can be added up */
    GemmTile.Plan backwardPlan(LinearGradients<?> args, int mostTiles) {
        Gemm ofInput = Gemm.dense(false, true, args.dx() == null ? 0 : args.rows(), args.in(), args.out());
        return GemmTile.chooseBackward(ofInput, ofWeight(args), context.multiprocessors(), mostTiles);
    }

    /** All gradients that are wanted, that of the weight among them. */
    void backward(LinearGradients<DeviceArray> args) {
        LinearGradients<CudaArray> arrays = resolve(args);
        GemmTile.Plan plan = backwardPlan(args, CudaKernels.COUNTERS);
        if (plan.blocks() == 0) {
            return;
        }
        try (CudaScope scope = memory.openScope()) {
            long sums = plan.splits() * (args.in() + 1L) * args.out();
            backwardParams
                    .x(arrays.x().address())
                    .weight(arrays.weight().address())
                    .dy(arrays.dy().address())
                    .added(addressOf(arrays.added()))
                    .dx(addressOf(arrays.dx()))
                    .dWeight(addressOf(arrays.dWeight()))
                    .dBias(addressOf(arrays.dBias()))
                    .partial(plan.splits() == 1 ? 0 : scope.scratch(DType.F32, sums))
                    .counters(kernels.counters())
                    .rows(args.rows())
                    .in(args.in())
                    .out(args.out())
                    .splits(plan.splits())
                    .splitDepth(plan.splitDepth())
                    .activation(args.activation().ordinal())
                    .precision(context.precision());
            kernels.launch(backwardTiles[plan.tile()], plan.blocks(), backwardParams);
        }
    }

    private static void requireApartOutputs(LinearGradients<CudaArray> args) {
        String operation = "linearBackward";
        CudaArray dWeight = Objects.requireNonNull(args.dWeight());
        CudaArray dBias = args.dBias();
        CudaArray dx = args.dx();
        CudaArray added = args.added();
        requireApart(operation, dWeight, args.x(), args.weight(), args.dy());
        if (dBias != null) {
            requireApart(operation, dBias, args.x(), args.weight(), args.dy(), dWeight);
        }
        if (dx != null) {
            requireApart(operation, dx, args.x(), args.weight(), args.dy(), dWeight);
            if (dBias != null) {
                requireApart(operation, dx, dBias);
            }
            if (added != null) {
                requireApartOrSame(operation, dx, added);
            }
        }
    }

    static long addressOf(@Nullable CudaArray array) {
        return array == null ? 0 : array.address();
    }
}
