// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.List;
import org.fovea.env.EnvironmentSpec.Spaces;
import org.jspecify.annotations.Nullable;

/** Makes batches of one kind of environment: one that is written for one agent, or for many. {@link EnvironmentSpec} says how. */
public interface EnvironmentFactory {

    /** A batch of each number of environments. */
    List<VectorEnvironment> createAll(int... counts);

    /** What observations and actions look like. */
    Spaces spaces();

    /** Closes what was made to learn the spaces, unless a batch has it. */
    default void closeUnused() {}

    /** Whether batches of one step as fast as one batch of all, so that threads can share them out as they like. */
    default boolean stepsSingly() {
        return false;
    }

    /** The kernel that can play it on a device; null if there is none. */
    default @Nullable DeviceForm deviceForm() {
        return null;
    }

    /** The same of an environment of another name, for messages. */
    EnvironmentFactory named(String name);
}
