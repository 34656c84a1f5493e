// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.Trainer;

/** A policy that training begins with. */
record InitialPolicy(Path path, SavedPolicy policy) implements Trainer.Beginning {

    /** The policy of a file or run directory. */
    static InitialPolicy load(Path path) throws IOException {
        if (!Files.exists(path)) {
            throw new UsageException("there is no policy file or run directory " + path + " to begin with");
        }
        return new InitialPolicy(path, Files.isDirectory(path) ? SavedRun.policy(path, false) : SavedPolicy.read(path));
    }

    /** Its own hyper-parameters, and in their place those that were given. */
    Map<String, String> hyperparameters(Map<String, String> given) {
        Map<String, String> all = new LinkedHashMap<>(policy.hyperparameters());
        all.putAll(given);
        return all;
    }

    /** @throws UsageException if it does not fit, listing what doesn't */
    @Override
    public void apply(Agent agent) {
        List<String> misfits = policy.misfits(agent.parameters());
        if (!misfits.isEmpty()) {
            String spaces = policy.spaces().equals(agent.spaces())
                    ? ""
                    : ". It was trained on observations " + policy.spaces().observations() + " and actions "
                            + policy.spaces().actions() + "; here they are "
                            + agent.spaces().observations() + " and "
                            + agent.spaces().actions();
            throw new UsageException(
                    "the policy in " + path + " does not fit the network to be trained: " + String.join("; ", misfits)
                            + spaces + ". Without --policy and --set of the network it is as it was");
        }
        try {
            policy.copyTo(agent);
        } catch (IOException e) {
            throw new UsageException("the policy in " + path + " does not fit: " + e.getMessage(), e);
        }
    }
}
