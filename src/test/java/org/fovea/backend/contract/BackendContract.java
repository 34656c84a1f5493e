// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

/**
 * All that every backend must do: extend this and say how to open one. Results are compared with the float64 reference in the
 * table of cases; the other parts are about refusals, lifetimes and captured steps. Tests of operations that the backend
 * reports as unsupported are skipped, with the operation's name.
 */
public abstract class BackendContract extends ContractSuite
        implements CaseContract,
                MemoryContract,
                StorageContract,
                IndexContract,
                ShapeContract,
                RelativeBiasContract,
                StepContract,
                AttentionStepContract,
                LargestValueContract,
                DominatingKeyContract {}
