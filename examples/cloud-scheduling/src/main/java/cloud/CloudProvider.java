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
                                Map.entry("steps", "250000"),
                                Map.entry("envs", "48"),
                                Map.entry("rollout_steps", "50"),
                                Map.entry("minibatches", "4"),
                                Map.entry("width", "32"),
                                Map.entry("heads", "2"),
                                Map.entry("epochs", "6"),
                                Map.entry("gamma", "0.98"),
                                Map.entry("gae_lambda", "0.9"))));
    }
}
