// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.cuda.params.GemmParams;
import org.fovea.backend.cuda.params.LinearBackwardParams;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LinearGradients;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products, by cuBLAS if it takes them, which it does without what is fused; else by the kernels of {@code
 * kernels/nn/gemm.cu}.
 */
final class CudaGemm {
    private static final int SUM_THREADS = 256;

    /** Elements of C per block of the kernel that adds up splits. */
    private static final int SUM_ELEMENTS = 16;

    private final CudaContext context;
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final Cublas cublas;
    private final CudaKernels.Kernel[] tiles;
    private final CudaKernels.Kernel addSplits;
    private final CudaKernels.Kernel[] backwardTiles;
    private final GemmParams params;
    private final LinearBackwardParams backwardParams;

    private final Map<Gemm, GemmTile.Plan> plans = new HashMap<>();

    CudaGemm(CudaContext context, CudaMemory memory, CudaKernels kernels, Cublas cublas) {
        this.context = context;
        this.memory = memory;
        this.kernels = kernels;
        this.cublas = cublas;
        tiles = Arrays.stream(GemmTile.ALL)
                .map(tile -> kernels.find(tile.kernelName("f32"), tile.threads(), tile.sharedBytes()))
                .toArray(CudaKernels.Kernel[]::new);
        addSplits = kernels.find("gemm_add_splits_f32", SUM_THREADS, 0);
        backwardTiles = Arrays.stream(GemmTile.ALL)
                .map(tile -> kernels.find(tile.backwardName(), tile.threads(), tile.sharedBytes()))
                .toArray(CudaKernels.Kernel[]::new);
        params = new GemmParams(kernels.parameters());
        backwardParams = new LinearBackwardParams(kernels.parameters());
    }

    /** Whether all gradients of a linear layer are for one launch of Fovea's: unless cuBLAS takes its products. */
    boolean takesBackward(int rows, int in, int out) {
        return !cublas.takes(Gemm.dense(true, false, in, out, rows));
    }

    /** All gradients of a linear layer, that of the weight among them. */
    void backward(LinearGradients<CudaArray> args) {
        int rows = args.rows();
        int in = args.in();
        int out = args.out();
        CudaArray dx = args.dx();
        GemmTile.Plan plan = GemmTile.chooseBackward(
                Gemm.dense(false, true, dx == null ? 0 : rows, in, out),
                Gemm.dense(true, false, in, out, rows),
                context.multiprocessors(),
                CudaKernels.COUNTERS);
        if (plan.blocks() == 0) {
            return;
        }
        try (CudaScope scope = memory.openScope()) {
            long partial = plan.splits() == 1 ? 0 : scope.scratch(DType.F32, plan.splits() * (in + 1L) * out);
            backwardParams
                    .x(args.x().address())
                    .weight(args.weight().address())
                    .dy(args.dy().address())
                    .added(addressOf(args.added()))
                    .dx(addressOf(dx))
                    .dWeight(addressOf(args.dWeight()))
                    .dBias(addressOf(args.dBias()))
                    .partial(partial)
                    .counters(kernels.counters())
                    .rows(rows)
                    .in(in)
                    .out(out)
                    .splits(plan.splits())
                    .splitDepth(plan.splitDepth())
                    .activation(args.activation().ordinal())
                    .tf32(context.tf32() ? 1 : 0);
            kernels.launch(backwardTiles[plan.tile()], plan.blocks(), backwardParams);
        }
    }

    private static long addressOf(@Nullable CudaArray array) {
        return array == null ? 0 : array.address();
    }

    /**
     * {@code C = activation(alpha op(A) op(B) + beta C + bias) + added} of what lies at these device addresses.
     *
     * @param bias one number per column, or 0 for none
     * @param added laid out as C, or 0 for none
     */
    void multiply(Gemm g, long a, long b, long c, long bias, Activation activation, long added) {
        if (bias == 0 && activation == Activation.NONE && added == 0 && cublas.takes(g)) {
            cublas.gemm(g, a, b, c);
        } else {
            launch(g, a, b, c, bias, activation, added);
        }
    }

    private void launch(Gemm g, long a, long b, long c, long bias, Activation activation, long added) {
        GemmTile.Plan plan = plans.get(g);
        if (plan == null) {
            plan = GemmTile.choose(g, context.multiprocessors());
            plans.put(g, plan);
        }
        if (plan.blocks() == 0) {
            return;
        }
        if (plan.splits() == 1) {
            write(g, plan, a, b, c, bias, 0, activation, added);
            kernels.launch(tiles[plan.tile()], plan.blocks(), params);
            return;
        }
        long elements = (long) g.batch() * g.m() * g.n();
        try (CudaScope scope = memory.openScope()) {
            long sums = scope.scratch(DType.F32, plan.splits() * elements);
            write(g, plan, a, b, c, bias, sums, activation, added);
            kernels.launch(tiles[plan.tile()], plan.blocks(), params);
            write(g, plan, a, b, c, bias, sums, activation, added);
            kernels.launch(addSplits, Grid.tiles(elements, SUM_ELEMENTS), params);
        }
    }

    private void write(
            Gemm g,
            GemmTile.Plan plan,
            long a,
            long b,
            long c,
            long bias,
            long partial,
            Activation activation,
            long added) {
        params.a(a)
                .b(b)
                .c(c)
                .bias(bias)
                .added(added)
                .partial(partial)
                .batchStrideA(g.strideA())
                .batchStrideB(g.strideB())
                .batchStrideC(g.strideC())
                .rowStrideA(g.lda())
                .rowStrideB(g.ldb())
                .rowStrideC(g.ldc())
                .batch(g.batch())
                .m(g.m())
                .n(g.n())
                .k(g.k())
                .splits(plan.splits())
                .splitDepth(plan.splitDepth())
                .transposeA(g.transposeA() ? 1 : 0)
                .transposeB(g.transposeB() ? 1 : 0)
                .activation(activation.ordinal())
                .tf32(context.tf32() ? 1 : 0)
                .alpha(g.alpha())
                .beta(g.beta());
    }
}
