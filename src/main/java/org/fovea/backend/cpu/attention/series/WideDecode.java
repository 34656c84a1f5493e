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

    WideDecode(DecodeCall<CpuArray> call, CpuArray output) {
        shape = call.shape();
        spec = call.spec();
        query = call.query();
        keyCache = call.keyCache();
        valueCache = call.valueCache();
        counts = call.counts();
        positions = call.positions();
        this.output = output;
    }

    /** Computes the outputs of all heads of one batch row. */
    void row(int batch) {
        int d = shape.headDim();
        int dv = shape.valueDim();
        int count = Math.min(counts.ints[counts.offset + batch], shape.capacity());
        double[] q = new double[d];
        double[] row = new double[Math.max(d, dv)];
        double[] scores = new double[count];
        double[] sum = new double[dv];
        // So that sums of values near the largest number don't overflow where their mean is one.
        double largest = 0x1p-32;
        for (int head = 0; head < shape.heads(); head++) {
            int queryRow = batch * shape.heads() + head;
            Elements.read(query, queryRow * d, q, 0, d);
            double maximum = Double.NEGATIVE_INFINITY;
            for (int age = 0; age < count; age++) {
                Elements.read(keyCache, slot(batch, head, age) * d, row, 0, d);
                scores[age] = score(q, row);
                maximum = Math.max(maximum, scores[age]);
            }
            Arrays.fill(sum, 0);
            double total = 0;
            for (int age = 0; age < count; age++) {
                double weight = largest * Math.exp(scores[age] - maximum);
                total += weight;
                Elements.read(valueCache, slot(batch, head, age) * dv, row, 0, dv);
                for (int c = 0; c < dv; c++) {
                    sum[c] += weight * row[c];
                }
            }
            for (int c = 0; c < dv; c++) {
                sum[c] = count == 0 ? 0 : sum[c] / total;
            }
            Elements.write(sum, 0, output, queryRow * dv, dv);
        }
    }

    /** The row of a cache that is {@code age} slots older than the newest. */
    private int slot(int batch, int head, int age) {
        int slot = Math.floorMod(positions.ints[positions.offset + batch] - age, shape.capacity());
        return (batch * shape.capacity() + slot) * shape.heads() + head;
    }

    private double score(double[] q, double[] k) {
        double dot = 0;
        double queryNorm = 0;
        double keyNorm = 0;
        double distance = 0;
        for (int c = 0; c < q.length; c++) {
            dot += q[c] * k[c];
            queryNorm += q[c] * q[c];
            keyNorm += k[c] * k[c];
            distance += (q[c] - k[c]) * (q[c] - k[c]);
        }
        double similarity = switch (spec.similarity()) {
            case DOT -> dot;
            case COSINE -> queryNorm == 0 || keyNorm == 0 ? 0 : dot / Math.sqrt(queryNorm) / Math.sqrt(keyNorm);
            case EUCLIDEAN -> -distance;
        };
        double z = spec.scale(shape.headDim()) * similarity;
        return spec.softcap() == 0 ? z : spec.softcap() * Math.tanh(z / spec.softcap());
    }
}
