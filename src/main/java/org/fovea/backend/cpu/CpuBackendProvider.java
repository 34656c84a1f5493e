package org.fovea.backend.cpu;

import org.fovea.backend.Backend;
import org.fovea.backend.BackendProvider;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;

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
    public Backend open(BackendSettings settings) {
        if (settings.cublas() == BackendSettings.Cublas.ON) {
            throw new BackendUnavailableException("cublas=on is for the cuda backend");
        }
        int threads = settings.threads();
        return new CpuBackend(
                KernelChoice.KERNELS, threads == 0 ? Runtime.getRuntime().availableProcessors() : threads);
    }
}
