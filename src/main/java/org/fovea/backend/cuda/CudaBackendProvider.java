// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import java.io.UncheckedIOException;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendProvider;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.Diagnostic;
import org.fovea.backend.cuda.diagnostics.CudaDiagnostics;
import org.fovea.backend.cuda.diagnostics.HostInfo;
import org.fovea.backend.cuda.driver.CudaNatives;
import org.fovea.backend.cuda.driver.KernelImage;
import org.fovea.backend.memory.DeviceException;

/** Makes the backend on a CUDA device. */
public final class CudaBackendProvider implements BackendProvider {
    private static final int PRIORITY = 10;

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public int priority() {
        return PRIORITY;
    }

    @Override
    public Backend open(BackendSettings settings) {
        if (!KernelImage.isPresent()) {
            throw new BackendUnavailableException("this build has no CUDA kernels: " + KernelImage.description());
        }
        try {
            CudaNatives.load();
            return CudaBackend.open(settings);
        } catch (LinkageError | UncheckedIOException | DeviceException e) {
            throw new BackendUnavailableException(reason(e), e);
        }
    }

    @Override
    public List<Diagnostic> examine() {
        return new CudaDiagnostics(HostInfo.here()).findings();
    }

    private static String reason(Throwable failure) {
        String message = String.valueOf(failure.getMessage());
        if (message.contains("libcuda.so.1: cannot open")) {
            return "there is no NVIDIA driver on this machine (libcuda.so.1 was not found); install "
                    + KernelImage.machineCodeDriver();
        }
        return message.lines().findFirst().orElse(failure.toString());
    }
}
