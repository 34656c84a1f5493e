// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import java.util.Arrays;

/** A run of numbers that is read piece by piece: of a tensor in a file, of a device's array, or made of others. */
interface Numbers {
    /** Numbers that are moved at a time. */
    int PIECE = 1 << 16;

    /** How many there are. */
    long length();

    /** Reads {@code count} numbers from {@code offset} on to {@code target} from {@code at} on. */
    void read(long offset, double[] target, int at, int count) throws IOException;

    /** Nothing but zeros. */
    static Numbers zeros(long length) {
        return new Numbers() {
            @Override
            public long length() {
                return length;
            }

            @Override
            public void read(long offset, double[] target, int at, int count) {
                Arrays.fill(target, at, at + count, 0);
            }
        };
    }

    /** Each run of {@code firstRun} numbers of the first followed by one of {@code secondRun} of the second. */
    static Numbers joined(Numbers first, long firstRun, Numbers second, long secondRun) {
        long run = firstRun + secondRun;
        return new Numbers() {
            @Override
            public long length() {
                return first.length() + second.length();
            }

            @Override
            public void read(long offset, double[] target, int at, int count) throws IOException {
                for (int done = 0; done < count; ) {
                    long place = (offset + done) % run;
                    long number = (offset + done) / run;
                    boolean inFirst = place < firstRun;
                    int size = (int) Math.min(count - done, (inFirst ? firstRun : run) - place);
                    if (inFirst) {
                        first.read(number * firstRun + place, target, at + done, size);
                    } else {
                        second.read(number * secondRun + place - firstRun, target, at + done, size);
                    }
                    done += size;
                }
            }
        };
    }

    /** The last {@code kept} of each run of {@code run} numbers. */
    static Numbers lastOfEach(Numbers all, long run, long kept) {
        return new Numbers() {
            @Override
            public long length() {
                return run == 0 ? 0 : all.length() / run * kept;
            }

            @Override
            public void read(long offset, double[] target, int at, int count) throws IOException {
                for (int done = 0; done < count; ) {
                    long place = (offset + done) % kept;
                    long number = (offset + done) / kept;
                    int size = (int) Math.min(count - done, kept - place);
                    all.read(number * run + run - kept + place, target, at + done, size);
                    done += size;
                }
            }
        };
    }
}
