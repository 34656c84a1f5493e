// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class BackendsTest {

    @Test
    void autoPrefersCuda() {
        assertThat(Backends.names()).containsExactly("cuda", "cpu");
    }

    @Test
    void anUnknownNameIsRefused() {
        assertThatThrownBy(() -> Backends.open("gpu", BackendSettings.DEFAULT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("unknown backend 'gpu'; there are auto, cuda, cpu");
    }

    @Test
    void autoFallsBackWithTheReason() {
        // No machine has so many devices.
        BackendSettings far =
                BackendSettings.DEFAULT.withDevice(Integer.MAX_VALUE).withThreads(1);
        Backends.Choice choice = Backends.open(Backends.AUTO, far);
        try (Backend backend = choice.backend()) {
            assertThat(backend.name()).isEqualTo("cpu");
            assertThat(choice.reasons())
                    .singleElement()
                    .asString()
                    .startsWith("cuda is not available: ")
                    .doesNotContain("\n");
        }
        assertThatThrownBy(() -> Backends.open("cuda", far))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessage(choice.reasons().get(0));
    }

    @Test
    void settingsAreReadAsTheyAreWritten() {
        BackendSettings settings = new BackendSettings(
                3, 1, BackendSettings.Cublas.OFF, BackendSettings.Precision.TF32, BackendSettings.Graph.OFF);
        assertThat(BackendSettings.DEFAULT.withThreads(3).withDevice(1).with(settings.asMap()))
                .isEqualTo(settings);
        assertThatThrownBy(() -> settings.with(Map.of("precision", "fp8")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("precision must be one of float32, tf32, bf16, got 'fp8'");
        assertThatThrownBy(() -> settings.with(Map.of("color", "red"))).hasMessageContaining("unknown setting 'color'");
        assertThatThrownBy(() -> settings.withThreads(-1)).hasMessageContaining("threads must be 0");
        assertThatThrownBy(() -> settings.withDevice(-1)).hasMessageContaining("device must be 0 or more");
    }
}
