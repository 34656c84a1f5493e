// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.fovea.backend.Partition;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.kernels.DoubleKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Elements;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/**
 * One attention in float64 over series, with all that {@link org.fovea.backend.attention.AttentionSpec} can ask for: the
 * ordinary tiled forward and backward passes, every number one of a {@link SeriesRing}. The forward pass is cut into tiles of
 * queries. The backward pass is cut into key heads and, if these are few, each of them into parts whose sums are added up in order. The cuts
 * depend on the shape alone, so results don't depend on the number of threads.
 */
final class SeriesAttention {
    /** Enough for any number of cores. */
    private static final int MAX_PIECES = 64;

    /** Pieces of a backward pass worth having if there are fewer key heads. */
    private static final int FEW_PIECES = 8;

    /** Elements that all sums for a bias may have together, if one for each piece are to be had. */
    private static final long BIAS_SUMS = 1 << 22;

    private final Workers workers;
    private final Supplier<SeriesTile> tiles;
    private final AttentionShape shape;
    private final SeriesPattern pattern;
    private final List<AttentionPlane<CpuArray>> results;
    private final SeriesRows rows;
    private final SeriesVisibility visibility;
    private final SeriesScores scores;
    private final SeriesForward forward;
    private final SeriesBackward backward;
    private final @Nullable ScoreBias<CpuArray> bias;

    /** Tiles of queries of one head. */
    private final int queryTiles;

    /** @param given for every plane; of the first only output and log-sum-exp, the rest is the call's */
    SeriesAttention(
            Workers workers,
            DoubleKernels kernels,
            ThreadLocal<@Nullable SeriesTile> scratch,
            AttentionCall<CpuArray> call,
            SeriesRing ring,
            List<AttentionPlane<CpuArray>> given,
            List<AttentionPlane<CpuArray>> results) {
        this.workers = workers;
        this.results = results;
        shape = call.shape();
        bias = call.bias();
        List<AttentionPlane<CpuArray>> arguments = new ArrayList<>(given);
        arguments.set(
                0, call.inputs().withOutputs(given.get(0).output(), given.get(0).logSumExp()));
        pattern = SeriesPattern.of(ring, shape, call.spec(), arguments, results);
        tiles = () -> fitting(scratch, pattern, kernels);
        rows = new SeriesRows(shape, call.spec(), arguments);
        scores = new SeriesScores(call, arguments);
        visibility = new SeriesVisibility(call);
        forward = new SeriesForward(visibility, rows, scores, arguments);
        ScoreReader reader = ScoreReader.of(bias);
        backward = new SeriesBackward(visibility, rows, scores, forward, results, reader, shape.group());
        queryTiles = ceilDiv(shape.queries(), SeriesTile.QUERIES);
    }

    private static SeriesTile fitting(
            ThreadLocal<@Nullable SeriesTile> scratch, SeriesPattern pattern, DoubleKernels kernels) {
        SeriesTile tile = scratch.get();
        if (tile == null || !tile.pattern.equals(pattern)) {
            tile = new SeriesTile(pattern, kernels);
            scratch.set(tile);
        }
        return tile;
    }

    /** Computes what is wanted. */
    void run() {
        if (pattern.gradients()) {
            backward();
        } else {
            forward();
        }
    }

    private void forward() {
        int units = Math.multiplyExact(Math.multiplyExact(shape.batch(), shape.heads()), queryTiles);
        inPieces(Math.min(units, MAX_PIECES), units, unit -> {
            SeriesTile t = tiles.get();
            enter(t, unit / queryTiles, unit % queryTiles);
            forward.tile(t);
            rows.storeOutputs(t, results);
        });
    }

    private void backward() {
        int keyHeads = Math.multiplyExact(shape.batch(), shape.keyHeads());
        int tilesEach = Math.multiplyExact(queryTiles, shape.group());
        int parts = Math.max(1, Math.min(ceilDiv(FEW_PIECES, Math.max(1, keyHeads)), tilesEach));
        int units = keyHeads * parts;
        int pieces = Math.min(units, MAX_PIECES);
        boolean shared = bias != null && sharesBias(bias, parts);
        if (bias != null && shared) {
            long size = Math.max(1, pattern.dBias().cardinality() * bias.size());
            pieces = (int) Math.min(Math.min(pieces, FEW_PIECES), Math.max(1, BIAS_SUMS / size));
        }
        double[][][] dBias = new double[shared ? Math.max(1, pieces) : 1][][];
        Arrays.setAll(dBias, i -> sums(pattern.dBias(), bias == null ? 0 : bias.size()));
        double[][] dSink = sums(pattern.dSink(), (long) shape.batch() * shape.heads());
        KeyGradients[] sums = new KeyGradients[units];
        int count = pieces;
        workers.run(count, piece -> {
            for (int unit = Partition.start(units, piece, count);
                    unit < Partition.start(units, piece + 1, count);
                    unit++) {
                SeriesTile t = tiles.get();
                t.keyGradients = parts == 1 ? cleared(t) : new KeyGradients(pattern, shape.keys(), shape.group());
                int end = Partition.start(tilesEach, unit % parts + 1, parts);
                for (int tile = Partition.start(tilesEach, unit % parts, parts); tile < end; tile++) {
                    int head = unit / parts * shape.group() + tile / queryTiles;
                    enter(t, head, tile % queryTiles);
                    forward.tile(t);
                    rows.storeOutputs(t, results);
                    backward.tile(t, dBias[shared ? piece : 0]);
                }
                if (parts == 1) {
                    store(t, unit, dSink);
                } else {
                    sums[unit] = t.keyGradients;
                }
            }
        });
        if (parts > 1) {
            inPieces(keyHeads, keyHeads, unit -> {
                SeriesTile t = tiles.get();
                t.keyGradients = sums[unit * parts];
                for (int part = 1; part < parts; part++) {
                    t.keyGradients.add(sums[unit * parts + part]);
                }
                store(t, unit, dSink);
            });
        }
        storeBias(dBias);
        storeSink(dSink);
    }

    /** Whether several units add to one element of the bias's gradient. */
    private boolean sharesBias(ScoreBias<CpuArray> term, int parts) {
        return term.batch() == 1 && shape.batch() > 1
                || term.heads() == 1 && shape.keyHeads() > 1
                || parts > 1 && (term.heads() == 1 || term.queries() == 1);
    }

    private KeyGradients cleared(SeriesTile t) {
        if (!t.keyGradients.fits(shape.keys(), shape.group())) {
            return new KeyGradients(pattern, shape.keys(), shape.group());
        }
        t.keyGradients.clear();
        return t.keyGradients;
    }

    private void enter(SeriesTile t, int headOfBatch, int queryTile) {
        t.headOfBatch = headOfBatch;
        t.batch = headOfBatch / shape.heads();
        t.head = headOfBatch % shape.heads();
        t.keyHead = t.head / shape.group();
        t.firstQuery = queryTile * SeriesTile.QUERIES;
        t.queries = Math.min(SeriesTile.QUERIES, shape.queries() - t.firstQuery);
    }

    private void store(SeriesTile t, int keyHeadOfBatch, double[][] dSink) {
        t.batch = keyHeadOfBatch / shape.keyHeads();
        t.keyHead = keyHeadOfBatch % shape.keyHeads();
        rows.storeKeyGradients(t, scores.factor, results);
        rows.storeValueGradients(t, results);
        for (int p = 0; p < dSink.length; p++) {
            if (dSink[p] != null) {
                int first = keyHeadOfBatch * shape.group();
                System.arraycopy(t.keyGradients.sink[p], 0, dSink[p], first, shape.group());
            }
        }
    }

    private double[][] sums(BitSet present, long size) {
        return new SeriesPlanes(pattern.ring()).allocate(present, Math.toIntExact(size));
    }

    private void storeBias(double[][][] sums) {
        for (int p = 0; p < results.size(); p++) {
            CpuArray target = results.get(p).bias();
            if (target != null) {
                double[] total = sums[0][p];
                for (int piece = 1; piece < sums.length; piece++) {
                    for (int i = 0; i < total.length; i++) {
                        total[i] += sums[piece][p][i];
                    }
                }
                Elements.write(total, 0, target, 0, total.length);
            }
        }
    }

    private void storeSink(double[][] sums) {
        for (int p = 0; p < results.size(); p++) {
            CpuArray target = results.get(p).sink();
            if (target != null) {
                double[] total = new double[shape.heads()];
                for (int i = 0; i < sums[p].length; i++) {
                    total[i % shape.heads()] += sums[p][i];
                }
                Elements.write(total, 0, target, 0, total.length);
            }
        }
    }

    /**
     * Stores scores or probabilities of the queries from {@code firstQuery} on.
     *
     * @param weights [batch, heads, queries asked for, keys]
     */
    void weights(ScoreStage stage, int firstQuery, CpuArray weights) {
        int heads = Math.multiplyExact(shape.batch(), shape.heads());
        if (weights.length == 0) {
            return;
        }
        int asked = weights.length / heads / shape.keys();
        int tilesEach = ceilDiv(asked, SeriesTile.QUERIES);
        int units = Math.multiplyExact(heads, tilesEach);
        inPieces(Math.min(units, MAX_PIECES), units, unit -> {
            SeriesTile t = tiles.get();
            int first = unit % tilesEach * SeriesTile.QUERIES;
            enter(t, unit / tilesEach, 0);
            t.firstQuery = firstQuery + first;
            t.queries = Math.min(SeriesTile.QUERIES, asked - first);
            rows.loadQueries(t);
            visibility.place(t);
            if (stage == ScoreStage.SOFTMAX) {
                // The rows' own sums: those saved by another pass may be of scores rounded otherwise.
                forward.tile(t);
            }
            for (t.firstKey = 0; t.firstKey < shape.keys(); t.firstKey += SeriesTile.KEYS) {
                t.keys = Math.min(SeriesTile.KEYS, shape.keys() - t.firstKey);
                visibility.look(t);
                rows.loadKeys(t);
                scores.compute(t, stage);
                for (int r = 0; r < t.queries; r++) {
                    int row = (t.headOfBatch * asked + first + r) * shape.keys() + t.firstKey;
                    Elements.write(t.score[0], r * t.keys, weights, row, t.keys);
                }
            }
        });
    }

    private void inPieces(int pieces, int units, IntConsumer body) {
        workers.run(pieces, piece -> {
            for (int unit = Partition.start(units, piece, pieces);
                    unit < Partition.start(units, piece + 1, pieces);
                    unit++) {
                body.accept(unit);
            }
        });
    }

    private static int ceilDiv(int x, int y) {
        return (x + y - 1) / y;
    }
}
