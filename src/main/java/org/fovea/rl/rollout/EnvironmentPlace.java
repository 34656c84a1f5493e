// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.util.Optional;
import java.util.stream.Collectors;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.rl.EnvironmentOps;
import org.fovea.env.DeviceForm;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.InvalidEnvironmentException;

/** Where environments step. */
public enum EnvironmentPlace {
    /**
     * On the device, where it has a kernel of the environment, since nothing has to cross the bus then and thousands step in the
     * time of one; else in Java.
     */
    AUTO,
    /** In Java. */
    HOST,
    /** On the device; where that is the CPU, in Java. */
    DEVICE;

    /**
     * Whether environments step by a kernel.
     *
     * @throws InvalidEnvironmentException if they should, and can't
     * @throws BackendUnavailableException if they should, and the kernel is not among those that were built
     */
    public boolean isDevice(Backend backend, EnvironmentSpec spec) {
        boolean hasKernels = backend.environments() != EnvironmentOps.NONE;
        if (this == HOST || (this == AUTO && !hasKernels)) {
            return false;
        }
        Optional<DeviceForm> form = spec.deviceForm();
        if (this == DEVICE && form.isEmpty()) {
            throw new InvalidEnvironmentException(
                    spec.name() + " has no device form; those that have, without wrappers: "
                            + Environments.all().stream()
                                    .filter(other -> other.deviceForm().isPresent())
                                    .map(EnvironmentSpec::name)
                                    .collect(Collectors.joining(", ")));
        }
        if (!hasKernels || form.isEmpty()) {
            return false;
        }
        boolean isBuilt = backend.environments().has(form.get().kernel());
        if (this == DEVICE && !isBuilt) {
            throw new BackendUnavailableException("the kernel " + form.get().kernel() + " of " + spec.name()
                    + " is not among those that were built; FOVEA_KERNELS must name the directory of its .cu when ./fovea"
                    + " builds them");
        }
        return isBuilt;
    }
}
