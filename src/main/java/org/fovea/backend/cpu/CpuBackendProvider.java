// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendProvider;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.Diagnostic;
import org.fovea.backend.cpu.VectorSupport.Obstacle;
import org.fovea.backend.cpu.kernels.Kernels;

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
                KernelChoice.KERNELS,
                threads == 0 ? Runtime.getRuntime().availableProcessors() : threads,
                settings.graph() == BackendSettings.Graph.ON);
    }

    @Override
    public List<Diagnostic> examine() {
        return List.of(Diagnostic.of("vectors", CpuBackendProvider::vectors));
    }

    private static Diagnostic vectors() {
        Kernels kernels = KernelChoice.KERNELS;
        Obstacle obstacle = KernelChoice.OBSTACLE;
        if (obstacle == null) {
            return Diagnostic.ok("vectors", "jdk.incubator.vector, " + kernels.description() + " of float32")
                    .withDetails(details(true, kernels.attention().lanes()));
        }
        return Diagnostic.no(
                        "vectors",
                        obstacle.reason() + ": the cpu backend runs scalar code, several times slower",
                        obstacle.remedy())
                .withDetails(details(false, 1));
    }

    private static Map<String, Object> details(boolean vectors, int lanes) {
        return Map.of("vector_module", vectors, "lanes", lanes);
    }
}
