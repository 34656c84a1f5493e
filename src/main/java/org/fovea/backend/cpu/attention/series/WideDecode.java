// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Elements;

/** Attention of one query per batch row over its ring buffer, in float64, by any similarity and from any type. */
final class WideDecode {
    private final DecodeShape shape;
    private final AttentionSpec spec;
    private final CpuArray query;
    private final CpuArray keyCache;
    private final CpuArray valueCache;
    private final CpuArray counts;
    private final CpuArray positions;
    private final CpuArray output;

    /** Room for a thread's numbers, kept from call to call. */
    private final ThreadLocal<double[]> scratch;

    WideDecode(DecodeCall<CpuArray> call, CpuArray output, ThreadLocal<double[]> scratch) {
        shape = call.shape();
        spec = call.spec();
        query = call.query();
        keyCache = call.keyCache();
        valueCache = call.valueCache();
        counts = call.counts();
        positions = call.positions();
        this.output = output;
        this.scratch = scratch;
    }

    /** Computes the outputs of all heads of one batch row. */
    void row(int batch) {
        int d = shape.headDim();
        int dv = shape.valueDim();
        int count = Math.min(counts.ints[counts.offset + batch], shape.capacity());
        // The query, the output, a row of a cache, and the scores.
        int sum = d;
        int row = sum + dv;
        int scores = row + Math.max(d, dv);
        double[] x = room(scores + count);
        // So that sums of values near the largest number don't overflow where their mean is one.
        double largest = 0x1p-32;
        for (int head = 0; head < shape.heads(); head++) {
            int queryRow = batch * shape.heads() + head;
            Elements.read(query, queryRow * d, x, 0, d);
            double maximum = Double.NEGATIVE_INFINITY;
            for (int age = 0; age < count; age++) {
                Elements.read(keyCache, slot(batch, head, age) * d, x, row, d);
                x[scores + age] = score(x, row, d);
                maximum = Math.max(maximum, x[scores + age]);
            }
            Arrays.fill(x, sum, sum + dv, 0);
            double total = 0;
            for (int age = 0; age < count; age++) {
                double weight = largest * Math.exp(x[scores + age] - maximum);
                total += weight;
                Elements.read(valueCache, slot(batch, head, age) * dv, x, row, dv);
                for (int c = 0; c < dv; c++) {
                    x[sum + c] += weight * x[row + c];
                }
            }
            for (int c = 0; c < dv; c++) {
                x[sum + c] = count == 0 ? 0 : x[sum + c] / total;
            }
            Elements.write(x, sum, output, queryRow * dv, dv);
        }
    }

    private double[] room(int length) {
        double[] room = scratch.get();
        if (room.length < length) {
            room = new double[length];
            scratch.set(room);
        }
        return room;
    }

    /** The row of a cache that is {@code age} slots older than the newest. */
    private int slot(int batch, int head, int age) {
        int slot = Math.floorMod(positions.ints[positions.offset + batch] - age, shape.capacity());
        return (batch * shape.capacity() + slot) * shape.heads() + head;
    }

    /** Of the query, which comes first, and a key. */
    private double score(double[] x, int key, int headDim) {
        double dot = 0;
        double queryNorm = 0;
        double keyNorm = 0;
        double distance = 0;
        for (int c = 0; c < headDim; c++) {
            double q = x[c];
            double k = x[key + c];
            dot += q * k;
            queryNorm += q * q;
            keyNorm += k * k;
            distance += (q - k) * (q - k);
        }
        double similarity = switch (spec.similarity()) {
            case DOT -> dot;
            case COSINE -> queryNorm == 0 || keyNorm == 0 ? 0 : dot / Math.sqrt(queryNorm) / Math.sqrt(keyNorm);
            case EUCLIDEAN -> -distance;
        };
        double z = spec.scale(headDim) * similarity;
        return spec.softcap() == 0 ? z : spec.softcap() * Math.tanh(z / spec.softcap());
    }
}
