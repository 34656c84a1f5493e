package org.fovea.backend.cuda.attention.series;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.jspecify.annotations.Nullable;

/**
 * Attention over rings of series, in all its forms, by the general kernels of {@code kernels/series/series.cuh}.
 */
public final class CudaSeries {
    private final CudaMemory memory;
    private final SeriesKernels kernels;

    public CudaSeries(CudaMemory memory, Kernels kernels) {
        this.memory = memory;
        this.kernels = new SeriesKernels(kernels);
    }

    /** Attention without anything of series: what it is asked of. */
    public record Problem(String operation, AttentionShape shape, AttentionSpec spec, AttentionInputs in) {}

    /** Elements of the state of an attention: the two parts of the log-sum-exps, and the output before it was rounded. */
    public static long stateSize(AttentionShape shape, AttentionInputs in) {
        return 2 * shape.logSumExpSize() + (in.query().dtype().isHalf() ? shape.outputSize() : 0);
    }

    /** Outputs of plane 0, with their state. */
    public void forward(Problem problem, AttentionOutputs out) {
        List<AttentionPlane> results =
                List.of(new AttentionPlane(null, null, null, null, null, out.output(), out.logSumExp()));
        compute(problem, SeriesRing.NUMBERS, List.of(AttentionPlane.NONE), results, null, out.state());
    }

    /** All of {@code results} that is there, from {@code arguments} and, if they are given, outputs of plane 0. */
    public void compute(
            Problem problem,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results,
            @Nullable AttentionOutputs known) {
        compute(problem, ring, arguments, results, known, known == null ? null : known.state());
    }

    private void compute(
            Problem problem,
            SeriesRing ring,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results,
            @Nullable AttentionOutputs known,
            @Nullable DeviceArray state) {
        if (ring.planes() > SeriesTiling.MAX_PLANES) {
            int highest = new SeriesRing(ring.mixed(), SeriesTiling.MAX_PLANES).order();
            throw new UnsupportedOnBackendException(
                    "cuda",
                    problem.operation
                            + (ring.mixed() ? " along " : " of order ")
                            + ring.order()
                            + (ring.mixed() ? " directions, where " : ", where ")
                            + highest
                            + (ring.mixed() ? " are the most," : " is the highest,"));
        }
        requireApart(problem, arguments, results, known, state);
        try (Scope scope = memory.openScope()) {
            new SeriesComputation(memory, kernels, problem, ring, arguments, results, scope).run(known, state);
        }
    }

    /** The stages of {@link org.fovea.backend.attention.AttentionOps#weights}. */
    public void weights(Problem problem, ScoreStage stage, int firstQuery, DeviceArray result) {
        AttentionShape shape = problem.shape;
        List<CudaArray> read = inputs(problem);
        CudaArray written = memory.floats(problem.operation, "weights", result);
        read.forEach(in -> CudaMemory.requireApart(problem.operation, written, in));
        if (written.length() == 0) {
            return;
        }
        long heads = (long) shape.batch() * shape.heads();
        int asked = (int) (written.length() / heads / shape.keys());
        try (Scope scope = memory.openScope()) {
            List<AttentionPlane> none = List.of(AttentionPlane.NONE);
            SeriesComputation computation =
                    new SeriesComputation(memory, kernels, problem, SeriesRing.NUMBERS, none, none, scope);
            computation.normalizeRows();
            SeriesTiling tiling = SeriesTiling.forScores(
                    1, SeriesTiling.ANY_ROWS, problem.spec.softcap() > 0, computation.longestDim(), false);
            if (stage == ScoreStage.SOFTMAX) {
                computation.findNormalizers(firstQuery, asked);
            }
            computation
                    .describe(tiling)
                    .weights(written.address())
                    .firstQuery(firstQuery)
                    .asked(asked)
                    .stage(stage.ordinal());
            long blocks = heads * tiling.tiles(asked) * tiling.tiles(shape.keys());
            kernels.launch(kernels.weights, tiling, blocks);
        }
    }

    /** Every float array that a problem has. */
    private List<CudaArray> inputs(Problem problem) {
        AttentionInputs in = problem.in;
        List<CudaArray> arrays = new ArrayList<>();
        add(arrays, problem.operation, "query", in.query());
        add(arrays, problem.operation, "key", in.key());
        add(arrays, problem.operation, "value", in.value());
        add(arrays, problem.operation, "bias", array(in.bias()));
        add(arrays, problem.operation, "sink", in.sink());
        add(arrays, problem.operation, "mask", array(in.mask()));
        add(arrays, problem.operation, "alibiSlopes", in.alibiSlopes());
        return arrays;
    }

    private static @Nullable DeviceArray array(@Nullable ScoreBias term) {
        return term == null ? null : term.array();
    }

    private void add(List<CudaArray> arrays, String operation, String name, @Nullable DeviceArray array) {
        if (array != null) {
            arrays.add(memory.floating(operation, name, array));
        }
    }

    private void add(List<CudaArray> arrays, String operation, AttentionPlane plane) {
        add(arrays, operation, "query", plane.query());
        add(arrays, operation, "key", plane.key());
        add(arrays, operation, "value", plane.value());
        add(arrays, operation, "bias", plane.bias());
        add(arrays, operation, "sink", plane.sink());
        add(arrays, operation, "output", plane.output());
        add(arrays, operation, "logSumExp", plane.logSumExp());
    }

    /** No result shares elements with an input or with another result. */
    private void requireApart(
            Problem problem,
            List<AttentionPlane> arguments,
            List<AttentionPlane> results,
            @Nullable AttentionOutputs known,
            @Nullable DeviceArray state) {
        String operation = problem.operation;
        List<CudaArray> read = inputs(problem);
        arguments.forEach(plane -> add(read, operation, plane));
        if (known != null) {
            add(read, operation, "output", known.output());
        }
        List<CudaArray> written = new ArrayList<>();
        add(known == null ? written : read, operation, "state", state);
        results.forEach(plane -> add(written, operation, plane));
        for (int i = 0; i < written.size(); i++) {
            for (CudaArray in : read) {
                CudaMemory.requireApart(operation, written.get(i), in);
            }
            for (CudaArray other : written.subList(0, i)) {
                CudaMemory.requireApart(operation, written.get(i), other);
            }
        }
    }
}
