// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.cuda.params.GemmParams;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.DType;

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
    private final GemmParams params;

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
        params = new GemmParams(kernels.parameters());
    }

    /** Whether cuBLAS does this product. */
    boolean leavesToCublas(Gemm g) {
        return cublas.takes(g);
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
                .precision(context.precision())
                .alpha(g.alpha())
                .beta(g.beta());
    }
}
