// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.events;

import org.fovea.rl.events.format.HistogramProto;

/** Makes histograms of buckets of equal width. */
final class Histogram {
    private static final int BUCKETS = 30;

    private Histogram() {}

    /** Numbers that are not finite are counted in the outermost buckets. */
    static HistogramProto of(float[] values) {
        double min = Double.POSITIVE_INFINITY;
        double max = Double.NEGATIVE_INFINITY;
        double sum = 0;
        double squares = 0;
        for (float value : values) {
            if (Float.isFinite(value)) {
                min = Math.min(min, value);
                max = Math.max(max, value);
                sum += value;
                squares += (double) value * value;
            }
        }
        if (min > max) {
            min = 0;
            max = 0;
        }
        boolean single = min == max;
        int buckets = single ? 1 : BUCKETS;
        // Of one value: a bucket that it is in the middle of.
        double from = single ? min - 0.5 * unit(min) : min;
        double width = single ? unit(min) : (max - min) / buckets;
        long[] counts = new long[buckets];
        for (float value : values) {
            double bucket = Float.isNaN(value) ? 0 : Math.floor((value - from) / width);
            counts[(int) Math.max(0, Math.min(buckets - 1, bucket))]++;
        }
        HistogramProto.Builder histogram = HistogramProto.newBuilder()
                .setMin(min)
                .setMax(max)
                .setNum(values.length)
                .setSum(sum)
                .setSumSquares(squares);
        // The first limit is where the first bucket begins: TensorBoard has no other place for that.
        histogram.addBucketLimit(from).addBucket(0);
        for (int i = 0; i < buckets; i++) {
            histogram
                    .addBucketLimit(i == buckets - 1 && !single ? max : from + (i + 1) * width)
                    .addBucket(counts[i]);
        }
        return histogram.build();
    }

    private static double unit(double value) {
        return Math.max(1e-6, Math.abs(value) * 1e-3);
    }
}
