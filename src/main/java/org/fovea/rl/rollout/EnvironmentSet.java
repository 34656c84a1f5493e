// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.Partition;
import org.fovea.env.EnvironmentException;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.EnvironmentThreads;
import org.fovea.env.JoinedBatch;
import org.fovea.env.VectorEnvironment;

/**
 * The environments of a run, in batches in each of which the policy acts at once, and which are all closed even if closing one of
 * them fails.
 */
public record EnvironmentSet(List<JoinedBatch> batches) implements AutoCloseable {
    /** Fewer rows than this leave a matrix product's registers idle. */
    private static final int SMALLEST_BATCH = 16;

    /** Number of batches that {@link #create} makes. */
    public static int parts(Backend backend, int count) {
        return Math.max(1, Math.min(backend.shards(count), count / SMALLEST_BATCH));
    }

    /**
     * Creates {@code count} environments, in as many batches as suit the device: a function of their number and the kind of device
     * alone.
     *
     * @param threads that they may step on
     */
    public static EnvironmentSet create(
            Backend backend, EnvironmentSpec spec, int count, EnvironmentThreads threads, EnvironmentPlace place) {
        int[] sizes = new int[parts(backend, count)];
        for (int batch = 0; batch < sizes.length; batch++) {
            sizes[batch] = Partition.size(count, batch, sizes.length);
        }
        if (place.isDevice(backend, spec)) {
            return new EnvironmentSet(JoinedBatch.createOnDevice(backend, spec, sizes));
        }
        return new EnvironmentSet(JoinedBatch.createAll(spec, threads, backend.shardsAtOnce(), sizes));
    }

    /** The spaces that all of them have. */
    public EnvironmentSpec.Spaces spaces() {
        VectorEnvironment any = batches.get(0);
        return new EnvironmentSpec.Spaces(any.observationSpace(), any.actionSpace(), any.masksActions());
    }

    @Override
    public void close() {
        EnvironmentException failure = null;
        for (VectorEnvironment batch : batches) {
            try {
                batch.close();
            } catch (EnvironmentException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
