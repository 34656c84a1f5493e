// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import org.fovea.rl.run.RunSpec;

/**
 * One run of an experiment.
 *
 * @param group that it is in with those that differ from it by their seed alone; part of the names of files
 * @param spec what is trained
 */
public record Cell(String group, RunSpec spec) {
    /** Checks the name. */
    public Cell {
        if (!group.matches("[A-Za-z0-9._=-]+")) {
            throw new IllegalArgumentException("'" + group + "' cannot name files");
        }
    }

    /** Unique within the experiment. */
    public String name() {
        return group + "-seed" + spec.seed();
    }
}
