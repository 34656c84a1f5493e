package org.fovea.backend.contract;

import org.fovea.backend.attention.AttentionChecks;

/** {@link BackendContract} but for what {@link AttentionChecks#isPlain} leaves out, and what comes after the second order. */
abstract class PlainContract extends ContractSuite
        implements MemoryContract,
                PrimitiveContract,
                MovementContract,
                GemmContract,
                RowsContract,
                AttentionContract,
                TangentContract,
                DecodeContract,
                StorageContract,
                SamplingContract,
                TrainingContract,
                StepContract,
                ShapeContract {}
