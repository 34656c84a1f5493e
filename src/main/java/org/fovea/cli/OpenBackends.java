// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Map;
import org.fovea.backend.Backend;
import org.jspecify.annotations.Nullable;

/** The backends that the options choose, each opened when it is first needed and closed at the end. */
final class OpenBackends implements AutoCloseable {
    private final BackendOptions device;
    private final Map<String, String> settings;
    private final Terminal notices;
    private @Nullable Backend usual;
    private @Nullable Backend forDouble;

    OpenBackends(BackendOptions device, Map<String, String> settings, Terminal notices) {
        this.device = device;
        this.settings = settings;
        this.notices = notices;
    }

    /** The one for all types that devices compute in. */
    Backend usual() {
        if (usual == null) {
            usual = device.open(notices, settings);
        }
        return usual;
    }

    /** The one for float64. */
    Backend forDouble() {
        if (usual != null && usual.name().equals("cpu")) {
            return usual;
        }
        if (forDouble == null) {
            forDouble = device.openForDouble(notices, settings);
        }
        return forDouble;
    }

    @Override
    public void close() {
        try {
            if (usual != null) {
                usual.close();
            }
        } finally {
            if (forDouble != null) {
                forDouble.close();
            }
        }
    }
}
