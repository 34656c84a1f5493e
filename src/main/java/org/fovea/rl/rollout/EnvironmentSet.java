// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentException;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.VectorEnvironment;

/** The environments of a run, in batches, which are all closed even if closing one of them fails. */
public record EnvironmentSet(List<VectorEnvironment> batches) implements AutoCloseable {

    /** Creates {@code count} environments, in as many batches as suit the device. */
    public static EnvironmentSet create(Backend backend, EnvironmentSpec spec, int count) {
        return new EnvironmentSet(spec.createAll(CollectorPartition.sizes(backend, count)));
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
