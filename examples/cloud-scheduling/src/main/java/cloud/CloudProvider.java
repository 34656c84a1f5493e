// SPDX-License-Identifier: Apache-2.0
package cloud;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.fovea.env.EnvironmentProvider;
import org.fovea.env.EnvironmentSpec;

/** Makes the environment known to ./fovea. */
public final class CloudProvider implements EnvironmentProvider {
    @Override
    public Collection<EnvironmentSpec> environments() {
        return List.of(EnvironmentSpec.of(
                        "CloudScheduling-v0", "Place jobs on the hosts of a data centre", CloudScheduling::new)
                .withTuned(
                        "ppo",
                        "mlp",
                        Map.ofEntries(
                                Map.entry("steps", "150000"),
                                // Hosts differ by little beside the luck in a return: a bonus would keep the choice random.
                                Map.entry("entropy_coef", "0"),
                                // Whole episodes, so that each update sees all hours of the day.
                                Map.entry("envs", "16"),
                                Map.entry("rollout_steps", Integer.toString(DataCenter.JOBS)),
                                Map.entry("minibatches", "4"),
                                Map.entry("epochs", "4"),
                                Map.entry("width", "32"),
                                Map.entry("heads", "2"),
                                Map.entry("critic", "shared"))));
    }
}
