// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import org.fovea.io.TensorInfo;

/** A tensor of the answer. */
interface Result {
    /** Where its numbers go. */
    interface Sink {
        /** Takes the numbers of the tensor from {@code offset} on. */
        void accept(long offset, double[] numbers, int count) throws IOException;
    }

    /** What it is. */
    TensorInfo info();

    /** Hands over all of its numbers. */
    void writeTo(Sink sink) throws IOException;

    /** A tensor of given numbers. */
    static Result of(TensorInfo info, Numbers numbers) {
        if (numbers.length() != info.elements()) {
            throw new IllegalStateException(numbers.length() + " numbers for " + info);
        }
        return new Result() {
            @Override
            public TensorInfo info() {
                return info;
            }

            @Override
            public void writeTo(Sink sink) throws IOException {
                double[] piece = new double[(int) Math.min(Numbers.PIECE, numbers.length())];
                for (long offset = 0; offset < numbers.length(); offset += piece.length) {
                    int count = (int) Math.min(piece.length, numbers.length() - offset);
                    numbers.read(offset, piece, 0, count);
                    sink.accept(offset, piece, count);
                }
            }
        };
    }
}
