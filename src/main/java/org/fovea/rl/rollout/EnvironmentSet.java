package org.fovea.rl.rollout;

import java.util.List;
import org.fovea.env.EnvironmentException;
import org.fovea.env.VectorEnvironment;
import org.jspecify.annotations.Nullable;

/** The environments of a run, in batches, which are all closed even if closing one of them fails. */
public record EnvironmentSet(List<VectorEnvironment> batches) implements AutoCloseable {

    @Override
    public void close() {
        EnvironmentException failure = null;
        for (VectorEnvironment batch : batches) {
            try {
                batch.close();
            } catch (EnvironmentException also) {
                failure = added(failure, also);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static EnvironmentException added(@Nullable EnvironmentException failure, EnvironmentException also) {
        if (failure == null) {
            return also;
        }
        failure.addSuppressed(also);
        return failure;
    }
}
