// SPDX-License-Identifier: Apache-2.0
package cloud;

import java.util.Collection;
import java.util.List;
import org.fovea.env.EnvironmentProvider;
import org.fovea.env.EnvironmentSpec;

/** Makes the environment known to ./fovea. */
public final class CloudProvider implements EnvironmentProvider {
    @Override
    public Collection<EnvironmentSpec> environments() {
        return List.of(EnvironmentSpec.of(
                "CloudScheduling-v0", "Place jobs on the hosts of a data centre", CloudScheduling::new));
    }
}
