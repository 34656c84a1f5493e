package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.fovea.backend.Backends;
import org.junit.jupiter.api.Test;

class CudaBackendProviderTest {

    @Test
    void autoPrefersTheCpu() {
        assertThat(Backends.names()).containsExactly("cpu", "cuda");
    }

    /** In a JVM of its own, since this one may have loaded the simulated driver. */
    @Test
    void probingIsSilentAndSaysWhatIsMissing() throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "-D" + KernelImage.IMAGE_PROPERTY + "=irrelevant",
                        Probe.class.getName())
                .redirectErrorStream(true)
                .start();
        try (InputStream out = process.getInputStream()) {
            String output = new String(out.readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
            assertThat(output.lines().filter(line -> !line.isBlank() && !line.startsWith("WARNING: ")))
                    .singleElement()
                    .isIn(
                            "available",
                            "the NVIDIA driver shows no device; check nvidia-smi and CUDA_VISIBLE_DEVICES",
                            "there is no NVIDIA driver on this machine (libcuda.so.1 was not found); install driver 580 or"
                                    + " newer");
        }
    }

    static final class Probe {
        private Probe() {}

        public static void main(String[] arguments) {
            System.out.println(new CudaBackendProvider().unavailableBecause().orElse("available"));
        }
    }
}
