// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.Random;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

/** The ways in which the same numbers lie in memory. */
enum Arrays4 {
    C {
        @Override
        INDArray empty(DataType type, long[] shape) {
            return Nd4j.create(type, shape, 'c');
        }
    },
    F {
        @Override
        INDArray empty(DataType type, long[] shape) {
            return Nd4j.create(type, shape, 'f');
        }
    },
    /** Heads and rows exchanged, as a projection of a sequence leaves them. */
    PERMUTED {
        @Override
        INDArray empty(DataType type, long[] shape) {
            return Nd4j.create(type, new long[] {shape[0], shape[2], shape[1], shape[3]}, 'c')
                    .permute(0, 2, 1, 3);
        }
    },
    /** Features before time, as DL4J has them. */
    TRANSPOSED {
        @Override
        INDArray empty(DataType type, long[] shape) {
            return Nd4j.create(type, new long[] {shape[0], shape[1], shape[3], shape[2]}, 'c')
                    .permute(0, 1, 3, 2);
        }
    },
    /** A part of a larger array on every axis. */
    VIEW {
        @Override
        INDArray empty(DataType type, long[] shape) {
            return Nd4j.create(type, new long[] {shape[0] + 1, shape[1] + 2, shape[2] + 1, shape[3] + 3}, 'c')
                    .get(
                            NDArrayIndex.interval(1, 1 + shape[0]),
                            NDArrayIndex.interval(1, 1 + shape[1]),
                            NDArrayIndex.interval(0, shape[2]),
                            NDArrayIndex.interval(2, 2 + shape[3]));
        }
    },
    /** Every second element of the last axis. */
    STRIDED {
        @Override
        INDArray empty(DataType type, long[] shape) {
            return Nd4j.create(type, new long[] {shape[0], shape[1], shape[2], 2 * shape[3]}, 'c')
                    .get(
                            NDArrayIndex.all(),
                            NDArrayIndex.all(),
                            NDArrayIndex.all(),
                            NDArrayIndex.interval(0, 2, 2 * shape[3]));
        }
    };

    abstract INDArray empty(DataType type, long[] shape);

    /** Normal numbers, the same for every way, rounded to the type. */
    INDArray normal(DataType type, long seed, long... shape) {
        INDArray array = empty(type, shape);
        Random random = new Random(seed);
        for (long b = 0; b < shape[0]; b++) {
            for (long h = 0; h < shape[1]; h++) {
                for (long n = 0; n < shape[2]; n++) {
                    for (long d = 0; d < shape[3]; d++) {
                        array.putScalar(new long[] {b, h, n, d}, random.nextGaussian());
                    }
                }
            }
        }
        return array;
    }
}
