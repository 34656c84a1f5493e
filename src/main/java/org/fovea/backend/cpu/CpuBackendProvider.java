package org.fovea.backend.cpu;

import java.util.Optional;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendProvider;

/** Makes CPU backends; there is always one. */
public final class CpuBackendProvider implements BackendProvider {

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public int priority() {
        return 0;
    }

    @Override
    public Optional<String> unavailableBecause() {
        return Optional.empty();
    }

    @Override
    public Backend open(int threads) {
        if (threads < 0) {
            throw new IllegalArgumentException("threads must be 0 (one per core) or more: " + threads);
        }
        return new CpuBackend(
                KernelChoice.KERNELS, threads == 0 ? Runtime.getRuntime().availableProcessors() : threads);
    }
}
