// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention.series;

import static org.fovea.backend.cuda.attention.series.CudaOperands.address;

import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.RelativePositions;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.cuda.params.AttentionSeriesParams;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/**
 * One request to {@link CudaSeries}, with its launches. All arrays were checked.
 *
 * <p>What it needs beside inputs and results grows with the rows times the planes: D of every query and its log-sum-exp
 * in two parts, outputs before they are rounded, outputs and log-sum-exps that nobody asked for, the gradients of a relative bias at every distance, and for
 * cosine similarity the normalised queries and keys with their gradients.
 */
final class SeriesComputation {
    private static final int WARPS = SeriesTiling.THREADS / 32;

    private final SeriesKernels kernels;
    private final AttentionCall<CudaArray> call;
    private final AttentionShape shape;
    private final SeriesRing ring;
    private final CudaScope scope;
    private final boolean softcap;
    private final boolean cosine;
    private final DType storage;
    private final long heads;
    private final long queryRows;
    private final long keyRows;
    private long[] queries;
    private long[] keys;
    private final long[] values;
    private final long[] biases;
    private final long[] sinks;
    private final long[] dOutputs;
    private final long[] dLogSumExps;
    private final long[] outputs;
    private final long[] exactOutputs = new long[SeriesTiling.MAX_PLANES];
    private final long[] logSumExps;
    private long[] dQueries;
    private long[] dKeys;
    private final long[] dValues;
    private final long[] dBiases;
    private final long[] dSinks;
    private final RelativePositions distances;
    private long deltas;
    private long maxima;
    private long sums;
    private long distanceSums;

    SeriesComputation(
            SeriesKernels kernels,
            AttentionCall<CudaArray> call,
            SeriesRing ring,
            List<AttentionPlane<CudaArray>> arguments,
            List<AttentionPlane<CudaArray>> results,
            CudaScope scope) {
        this.kernels = kernels;
        this.call = call;
        this.ring = ring;
        this.scope = scope;
        shape = call.shape();
        softcap = call.spec().softcap() > 0;
        cosine = call.spec().similarity() == AttentionSpec.Similarity.COSINE;
        storage = call.query().dtype();
        distances = RelativePositions.of(shape, call.spec());
        heads = (long) shape.batch() * shape.heads();
        queryRows = heads * shape.queries();
        keyRows = (long) shape.batch() * shape.keyHeads() * shape.keys();
        queries = addresses(arguments, AttentionPlane::query);
        keys = addresses(arguments, AttentionPlane::key);
        values = addresses(arguments, AttentionPlane::value);
        biases = addresses(arguments, AttentionPlane::bias);
        sinks = addresses(arguments, AttentionPlane::sink);
        dOutputs = addresses(arguments, AttentionPlane::output);
        dLogSumExps = addresses(arguments, AttentionPlane::logSumExp);
        queries[0] = address(call.query());
        keys[0] = address(call.key());
        values[0] = address(call.value());
        biases[0] = address(call.inputs().bias());
        sinks[0] = address(call.sink());
        outputs = addresses(results, AttentionPlane::output);
        logSumExps = addresses(results, AttentionPlane::logSumExp);
        dQueries = addresses(results, AttentionPlane::query);
        dKeys = addresses(results, AttentionPlane::key);
        dValues = addresses(results, AttentionPlane::value);
        dBiases = addresses(results, AttentionPlane::bias);
        dSinks = addresses(results, AttentionPlane::sink);
    }

    /**
     * All of the results.
     *
     * @param state of plane 0, as {@link CudaSeries#stateSize} has it: read if {@code known} is given, else written if it
     *     is there
     */
    void run(@Nullable AttentionOutputs<CudaArray> known, @Nullable CudaArray state) {
        boolean gradients = any(dQueries) || any(dKeys) || any(dValues) || any(dBiases) || any(dSinks);
        List<SeriesSphere> spheres = normalizeRows();
        if (state != null) {
            takeState(address(state));
        }
        boolean forward = known == null || ring.planes() > 1;
        if (gradients) {
            allocate(logSumExps, 1, DType.F32, queryRows);
            allocateExactOutputs(forward ? null : known);
            if (maxima == 0) {
                allocateNormalizers();
            }
        }
        if (forward) {
            forward();
        }
        if (!gradients) {
            return;
        }
        deltas = scope.scratch(DType.F32, ring.planes() * queryRows);
        long[] ofSpheres = dQueries;
        long[] ofKeySpheres = dKeys;
        if (cosine) {
            dQueries = any(dQueries) ? spheres.get(0).gradients() : dQueries;
            dKeys = any(dKeys) ? spheres.get(1).gradients() : dKeys;
        }
        backward();
        if (cosine && any(ofSpheres)) {
            spheres.get(0).pullBack(ofSpheres);
        }
        if (cosine && any(ofKeySpheres)) {
            spheres.get(1).pullBack(ofKeySpheres);
        }
    }

    /** Scratch memory for what is needed, and missing. */
    private void allocate(long[] planes, int first, DType type, long length) {
        for (int k = first; k < ring.planes(); k++) {
            if (planes[k] == 0) {
                planes[k] = scope.scratch(type, length);
            }
        }
    }

    /** Room for the outputs that D is made of, where they are neither known nor results. */
    private void allocateExactOutputs(@Nullable AttentionOutputs<CudaArray> known) {
        if (storage == DType.F32) {
            System.arraycopy(outputs, 0, exactOutputs, 0, outputs.length);
            if (known != null) {
                exactOutputs[0] = address(known.output());
            }
        }
        allocate(exactOutputs, 0, DType.F32, shape.outputSize());
    }

    /** Room for the log-sum-exps in two parts. */
    private void allocateNormalizers() {
        maxima = scope.scratch(DType.F32, 2 * queryRows);
        sums = maxima + queryRows * Float.BYTES;
    }

    private void takeState(long address) {
        maxima = address;
        sums = maxima + queryRows * Float.BYTES;
        exactOutputs[0] = storage == DType.F32 ? 0 : sums + queryRows * Float.BYTES;
    }

    /** Finds the two parts of the log-sum-exps of so many queries of every head. */
    void findNormalizers(int firstQuery, int asked) {
        allocateNormalizers();
        SeriesTiling tiling = SeriesTiling.forScores(1, SeriesTiling.ANY_ROWS, softcap, shape.headDim(), false);
        describe(tiling).firstQuery(firstQuery).asked(asked);
        kernels.launch(kernels.normalizers, tiling, heads * tiling.tiles(asked));
    }

    private void forward() {
        SeriesTiling tiling = columns(shape.valueDim());
        describe(tiling);
        kernels.launch(
                SeriesKernels.Kind.FORWARD,
                tiling,
                heads * tiling.tiles(shape.queries()) * tiling.parts(shape.valueDim()));
    }

    private void backward() {
        launch(kernels.delta, Grid.tiles(queryRows, WARPS), SeriesTiling.THREADS);
        if (any(dQueries)) {
            SeriesTiling tiling = columns(shape.headDim());
            describe(tiling);
            kernels.launch(
                    SeriesKernels.Kind.ROWS,
                    tiling,
                    heads * tiling.tiles(shape.queries()) * tiling.parts(shape.headDim()));
        }
        if (any(dKeys) || any(dValues)) {
            SeriesTiling tiling = columns(longestDim());
            describe(tiling);
            int parts = tiling.parts(shape.headDim()) + tiling.parts(shape.valueDim());
            kernels.launch(
                    SeriesKernels.Kind.COLUMNS,
                    tiling,
                    (long) shape.batch() * shape.keyHeads() * tiling.tiles(shape.keys()) * parts);
        }
        if (any(dBiases)) {
            bias(Objects.requireNonNull(call.bias(), "bias"));
        }
        if (any(dSinks)) {
            launch(kernels.sink, shape.heads(), SeriesKernels.SINK_THREADS);
        }
    }

    private void bias(ScoreBias<CudaArray> bias) {
        SeriesTiling tiling = SeriesTiling.forScores(ring.planes(), longestRows(), softcap, longestDim(), true);
        long matrices = (long) bias.batch() * bias.heads();
        if (bias.isRelative()) {
            distanceSums = scope.scratch(DType.F32, ring.planes() * heads * distances.count());
            describe(tiling);
            kernels.launch(SeriesKernels.Kind.DISTANCES, tiling, heads * tiling.tiles(distances.count()));
            launch(kernels.distanceBias, matrices * (2L * bias.reach() + 1), SeriesTiling.THREADS);
        } else {
            describe(tiling);
            long blocks = matrices * tiling.tiles(bias.queries()) * tiling.tiles(bias.keys());
            kernels.launch(SeriesKernels.Kind.BIAS, tiling, blocks);
        }
    }

    int longestDim() {
        return Math.max(shape.headDim(), shape.valueDim());
    }

    private int longestRows() {
        return Math.max(shape.queries(), shape.keys());
    }

    private SeriesTiling columns(int width) {
        return SeriesTiling.forColumns(ring.planes(), longestRows(), softcap, longestDim(), width);
    }

    /** A kernel that has no tiles. */
    private void launch(CudaKernels.Kernel kernel, long blocks, int threads) {
        if (blocks > 0) {
            describe(columns(shape.valueDim()));
            kernels.launch(kernel, blocks, threads);
        }
    }

    /** For cosine similarity, puts queries and keys on the unit sphere. */
    List<SeriesSphere> normalizeRows() {
        if (!cosine) {
            return List.of();
        }
        SeriesSphere ofQueries = sphere(queries, queryRows);
        SeriesSphere ofKeys = sphere(keys, keyRows);
        queries = ofQueries.points();
        keys = ofKeys.points();
        return List.of(ofQueries, ofKeys);
    }

    private SeriesSphere sphere(long[] arrays, long rows) {
        return SeriesSphere.of(kernels, scope, ring, storage, arrays, rows, shape.headDim());
    }

    /** Writes the parameters of all kernels. */
    AttentionSeriesParams describe(SeriesTiling tiling) {
        AttentionSpec spec = call.spec();
        AttentionMask<CudaArray> mask = call.mask();
        CudaArray sequences = mask.querySequences();
        ScoreBias<CudaArray> bias = call.bias();
        ScoreBias<CudaArray> scores = mask.scores();
        return kernels.params
                .query(queries)
                .key(keys)
                .value(values)
                .bias(biases)
                .sink(sinks)
                .dOutput(dOutputs)
                .dLogSumExp(dLogSumExps)
                .output(outputs)
                .exactOutput(exactOutputs)
                .logSumExp(logSumExps)
                .dQuery(dQueries)
                .dKey(dKeys)
                .dValue(dValues)
                .dBias(dBiases)
                .dSink(dSinks)
                .delta(deltas)
                .maximum(maxima)
                .sum(sums)
                .distanceSums(distanceSums)
                .weights(0)
                .mask(scores == null ? 0 : scores.array().address())
                .alibiSlopes(address(mask.alibiSlopes()))
                .querySegments(address(mask.querySegments()))
                .keySegments(address(mask.keySegments()))
                .keyLengths(address(mask.keyLengths()))
                .querySequences(address(mask.querySequences()))
                .keySequences(address(mask.keySequences()))
                .queryStrides(strides(shape.heads(), shape.queries(), shape.headDim()))
                .keyStrides(strides(shape.keyHeads(), shape.keys(), shape.headDim()))
                .valueStrides(strides(shape.keyHeads(), shape.keys(), shape.valueDim()))
                .outputStrides(strides(shape.heads(), shape.queries(), shape.valueDim()))
                .biasStrides(strides(bias))
                .maskStrides(strides(scores))
                .seed(spec.seed())
                .biasExtents(
                        bias == null ? new int[4] : new int[] {bias.batch(), bias.heads(), bias.queries(), bias.keys()})
                .biasReach(bias == null ? ScoreBias.BY_PAIR : bias.reach())
                .firstDistance(distances.first())
                .distances(distances.count())
                .batch(shape.batch())
                .heads(shape.heads())
                .keyHeads(shape.keyHeads())
                .queries(shape.queries())
                .keys(shape.keys())
                .headDim(shape.headDim())
                .valueDim(shape.valueDim())
                .sequences(sequences == null ? 0 : (int) sequences.length() - 1)
                .windowLeft(spec.windowLeft())
                .windowRight(spec.windowRight())
                .bottomRight(spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT ? 1 : 0)
                .pastKeys(spec.pastKeys())
                .planes(ring.planes())
                .mixed(ring.mixed() ? 1 : 0)
                .euclidean(spec.similarity() == AttentionSpec.Similarity.EUCLIDEAN ? 1 : 0)
                .pairStorage(CudaKernels.storage(cosine ? DType.F32 : storage))
                .valueStorage(CudaKernels.storage(storage))
                .depth(tiling.depth())
                .columns(tiling.columns())
                .firstQuery(0)
                .asked(0)
                .stage(0)
                .scale((float) spec.scale(shape.headDim()))
                .softcap((float) spec.softcap())
                .dropout((float) spec.dropout())
                .kept(spec.dropout() == 1 ? 0 : (float) (1 / (1 - spec.dropout())));
    }

    /** Of batch, head and row. */
    private long[] strides(long ofHeads, long rows, long dim) {
        boolean rowsFirst = shape.layout() == AttentionShape.Layout.BNHD;
        return new long[] {ofHeads * rows * dim, rowsFirst ? dim : rows * dim, rowsFirst ? ofHeads * dim : dim};
    }

    private long[] strides(@Nullable ScoreBias<CudaArray> term) {
        return term == null
                ? new long[4]
                : new long[] {term.batchStride(), term.headStride(), term.queryStride(), term.keyStride()};
    }

    /** Addresses of one part of every plane. */
    private static long[] addresses(
            List<AttentionPlane<CudaArray>> planes, Function<AttentionPlane<CudaArray>, @Nullable CudaArray> part) {
        long[] addresses = new long[SeriesTiling.MAX_PLANES];
        for (int k = 0; k < planes.size(); k++) {
            addresses[k] = address(part.apply(planes.get(k)));
        }
        return addresses;
    }

    private static boolean any(long[] addresses) {
        for (long address : addresses) {
            if (address != 0) {
                return true;
            }
        }
        return false;
    }
}
