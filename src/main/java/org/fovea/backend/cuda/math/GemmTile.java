// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.math.Gemm;

/**
 * The tiles of C that {@code kernels/nn/gemm.cu} instantiates, and the choice between them.
 *
 * @param rows of C per block; {@code columns} likewise
 * @param threads of a block
 * @param perMultiprocessor blocks that a multiprocessor needs at once to have something to do while one waits
 * @param efficiency relative speed of a multiprocessor that is busy with this tile; what tiles differ in is how much each
 *     product reads from shared memory: 1.5, 2 and 3 passes of 128 bytes for a warp's 64 x 32, 32 x 32 and 32 x 16
 */
public record GemmTile(String name, int rows, int columns, int threads, int perMultiprocessor, double efficiency) {

    public static final GemmTile[] ALL = {
        new GemmTile("large", 128, 128, 256, 1, 1),
        new GemmTile("medium", 64, 64, 128, 2, 0.75),
        new GemmTile("tall", 128, 16, 128, 2, 0.5),
        new GemmTile("wide", 16, 128, 128, 2, 0.5)
    };

    private static final int STAGES = 4;

    /** What a block does besides multiplying, filling the pipeline and writing C, takes as long as this much of k. */
    private static final int OVERHEAD_DEPTH = 64;

    /** Splits of k are multiples of this, so that each starts at an aligned address. */
    private static final int SPLIT_UNIT = 64;

    private static final int LEAST_SPLIT_DEPTH = 256;

    /** Of a weight's gradient: one block adds up all of a tile. */
    private static final int MOST_BACKWARD_SPLITS = 16;

    /** What adding up the splits costs, in multiplications of one multiprocessor: the second launch, and per element. */
    private static final double SPLIT_LAUNCH = 700_000;

    private static final double SPLIT_ELEMENT = 64;

    /**
     * The division of a product among blocks.
     *
     * @param tile index in {@link #ALL}
     * @param splits parts of k that are summed by blocks of their own, 1 for all in one
     * @param splitDepth of k per part
     * @param blocks in all
     */
    record Plan(int tile, int splits, int splitDepth, long blocks) {}

    public String kernelName(String type) {
        return "gemm_" + name + "_" + type;
    }

    /** That of the kernel with all gradients of a linear layer. */
    public String backwardName() {
        return "linear_backward_" + name;
    }

    /** That of the kernel with some linear layers. */
    public String layersName() {
        return "linear_layers_" + name;
    }

    /** That of the kernel with all gradients of some linear layers. */
    public String layersBackwardName() {
        return "linear_layers_backward_" + name;
    }

    /** Tiles of a matrix. */
    long tiles(int matrixRows, int matrixColumns) {
        return Grid.tiles(matrixRows, rows) * Grid.tiles(matrixColumns, columns);
    }

    /** A ring of slices of A and B, 64 bytes deep. */
    int sharedBytes() {
        return STAGES * (sliceBytes(rows) + sliceBytes(columns));
    }

    /** A row of a slice has 16 bytes of padding; a column of 32 bytes, which only counts for the shortest. */
    private static int sliceBytes(int across) {
        return Math.max(across * 80, 16 * (across + 8) * Float.BYTES);
    }

    /** The fastest plan for a device of so many multiprocessors, by the reckoning below. */
    static Plan choose(Gemm g, int multiprocessors) {
        Plan best = new Plan(0, 1, Math.max(1, g.k()), 0);
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < ALL.length; i++) {
            long tiles = g.batch() * ALL[i].tiles(g.m(), g.n());
            long slots = (long) multiprocessors * ALL[i].perMultiprocessor;
            long most = Math.min(slots / Math.max(1, tiles), g.k() / LEAST_SPLIT_DEPTH);
            for (long wanted : new long[] {1, Math.max(1, most)}) {
                int depth = wanted == 1 ? Math.max(1, g.k()) : roundUp(Grid.tiles(g.k(), (int) wanted));
                int splits = Math.max(1, (int) Grid.tiles(g.k(), depth));
                Plan plan = new Plan(i, splits, depth, splits * tiles);
                double time = ALL[i].time(g, plan, multiprocessors);
                if (time < least) {
                    least = time;
                    best = plan;
                }
            }
        }
        return best;
    }

    private static int roundUp(long depth) {
        return Math.toIntExact(Grid.tiles(depth, SPLIT_UNIT) * SPLIT_UNIT);
    }

    /**
     * The fastest plan for the gradients of a linear layer in one launch.
     *
     * @param dx the product for the input, without splits; of no rows if it is not wanted
     * @param dWeight the product for the weight, whose splits are the plan's
     * @param mostTiles of {@code dWeight} of which splits can be added up
     */
    static Plan chooseBackward(Gemm dx, Gemm dWeight, int multiprocessors, int mostTiles) {
        Plan best = new Plan(0, 1, Math.max(1, dWeight.k()), 0);
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < ALL.length; i++) {
            long ofInput = ALL[i].tiles(dx.m(), dx.n());
            long ofWeight = ALL[i].tiles(dWeight.m(), dWeight.n());
            long slots = (long) multiprocessors * ALL[i].perMultiprocessor;
            long most = Math.min(slots / Math.max(1, ofWeight), dWeight.k() / LEAST_SPLIT_DEPTH);
            int wanted = ofWeight > mostTiles ? 1 : (int) Math.max(1, Math.min(MOST_BACKWARD_SPLITS, most));
            int depth = wanted == 1 ? Math.max(1, dWeight.k()) : roundUp(Grid.tiles(dWeight.k(), wanted));
            int splits = Math.max(1, (int) Grid.tiles(dWeight.k(), depth));
            double time = ALL[i].time(dx, new Plan(i, 1, Math.max(1, dx.k()), ofInput), multiprocessors)
                    + ALL[i].time(dWeight, new Plan(i, 1, depth, splits * ofWeight), multiprocessors);
            if (time < least) {
                least = time;
                best = new Plan(i, splits, depth, ofInput + splits * ofWeight);
            }
        }
        return best;
    }

    /** In multiplications of one multiprocessor at its best. */
    private double time(Gemm g, Plan plan, int multiprocessors) {
        long waves = Grid.tiles(plan.blocks, multiprocessors * perMultiprocessor);
        double work =
                (double) waves * perMultiprocessor * rows * columns * (plan.splitDepth + OVERHEAD_DEPTH) / efficiency;
        double partials = (double) plan.splits * g.batch() * g.m() * g.n();
        return plan.splits == 1 ? work : work + SPLIT_LAUNCH + SPLIT_ELEMENT * partials / multiprocessors;
    }
}
