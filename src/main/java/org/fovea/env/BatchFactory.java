// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.List;
import java.util.function.IntFunction;
import org.fovea.env.EnvironmentSpec.Spaces;
import org.jspecify.annotations.Nullable;

/** Of an environment that is written for many agents. */
record BatchFactory(String name, IntFunction<VectorEnvironment> factory) implements EnvironmentFactory {
    @Override
    public List<VectorEnvironment> createAll(int... counts) {
        return CheckedBatch.createAll(name, factory, counts);
    }

    @Override
    public Spaces spaces() {
        try (VectorEnvironment probe = createAll(1).get(0)) {
            return EnvironmentFailures.named(
                    name, () -> new Spaces(probe.observationSpace(), probe.actionSpace(), probe.masksActions()));
        }
    }

    @Override
    public @Nullable DeviceForm deviceForm() {
        try (VectorEnvironment probe = createAll(1).get(0)) {
            BatchedEnvironment batch = BatchedEnvironment.within(probe);
            return batch == null ? null : batch.deviceForm();
        }
    }

    @Override
    public EnvironmentFactory named(String newName) {
        return new BatchFactory(newName, factory);
    }
}
