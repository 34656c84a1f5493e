// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.jspecify.annotations.Nullable;

/**
 * Moments of what all members of a run see. Each takes in its own rows, and at an exchange all of them take in those of all, member by
 * member; where there is but one, its rows count at once.
 */
public final class SharedMoments {
    /** A way to what each member has taken in, in order; called by all of them. */
    @FunctionalInterface
    public interface Exchange {
        /**
         * What each member has taken in.
         *
         * @param own as {@link RunningMoments#save} gives it
         */
        double[][] gather(double[] own);
    }

    private final RunningMoments all;
    private RunningMoments taking;
    private @Nullable Exchange exchange;

    public SharedMoments(int columns) {
        this.all = new RunningMoments(columns);
        this.taking = all;
    }

    /** Called where there are several members, before the first rows come. */
    public void shareBy(Exchange members) {
        this.exchange = members;
        this.taking = all.ofSameSize();
    }

    /** Takes in {@code rows} rows of this member, in order, the first of which begins at {@code from}. */
    public void include(float[] values, int from, int rows) {
        taking.include(values, from, rows);
    }

    /** Takes in what all members have included since the last time. */
    public void exchange() {
        if (exchange != null) {
            for (double[] ofMember : exchange.gather(taking.save())) {
                all.merge(ofMember, 0);
            }
            taking.clear();
        }
    }

    /** Those of all members. */
    public RunningMoments ofAll() {
        return all;
    }
}
