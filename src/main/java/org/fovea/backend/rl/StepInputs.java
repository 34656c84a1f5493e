// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * What {@link RlOps#encode} makes numbers of; only what its entries name has to be there.
 *
 * @param observations [rows, size]
 * @param actions [rows, action size], those before, I32 where choices are made and floating else
 * @param ages I32 [rows], see {@link StepClock}
 * @param later steps that each is later than its age says
 * @param allowed I32 [rows, choices], 1 where a choice is allowed; null where none is forbidden
 */
public record StepInputs(
        int rows,
        DeviceArray observations,
        DeviceArray actions,
        DeviceArray ages,
        int later,
        @Nullable DeviceArray allowed) {}
