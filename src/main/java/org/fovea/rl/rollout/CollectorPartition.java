// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import org.fovea.backend.Backend;
import org.fovea.backend.Partition;

/** The partition of a run's environments among those who play them. */
final class CollectorPartition {
    /** Fewer rows than this leave a matrix product's registers idle. */
    private static final int SMALLEST_BATCH = 16;

    private CollectorPartition() {}

    /** Number of parts: a function of the number of environments and the kind of device alone. */
    static int parts(Backend backend, int environments) {
        return Math.max(1, Math.min(backend.shards(environments), environments / SMALLEST_BATCH));
    }

    /** Number of environments in each part. */
    static int[] sizes(Backend backend, int environments) {
        int[] sizes = new int[parts(backend, environments)];
        for (int part = 0; part < sizes.length; part++) {
            sizes[part] = Partition.size(environments, part, sizes.length);
        }
        return sizes;
    }
}
