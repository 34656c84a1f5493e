package org.fovea.backend.cuda;

import java.util.Optional;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendProvider;

/** Makes the backend on CUDA device 0. */
public final class CudaBackendProvider implements BackendProvider {

    /**
     * Below the CPU's: most fused operations are compositions as yet, attention's gradient forms the whole score matrix, and
     * no speed was measured on a card, so {@code auto} must not choose it. It also means that {@code auto} never looks for
     * a driver. To become 10 once the kernels are complete.
     */
    private static final int PRIORITY = -10;

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public int priority() {
        return PRIORITY;
    }

    @Override
    public Optional<String> unavailableBecause() {
        if (!KernelImage.isPresent()) {
            return Optional.of("this build has no CUDA kernels: " + KernelImage.description()
                    + "; install CUDA 12 or newer and build again");
        }
        try {
            CudaNatives.load();
            return CudaContext.deviceCount() > 0
                    ? Optional.empty()
                    : Optional.of("the NVIDIA driver shows no device; check nvidia-smi and CUDA_VISIBLE_DEVICES");
        } catch (LinkageError | RuntimeException e) {
            return Optional.of(reason(e));
        }
    }

    private static String reason(Throwable failure) {
        String message = String.valueOf(failure.getMessage());
        if (message.contains("libcuda.so.1")) {
            return "there is no NVIDIA driver on this machine (libcuda.so.1 was not found); install driver 580 or newer";
        }
        return message.lines().findFirst().orElse(failure.toString());
    }

    @Override
    public Backend open(int threads) {
        unavailableBecause().ifPresent(reason -> {
            throw new IllegalStateException(reason);
        });
        return CudaBackend.open();
    }
}
