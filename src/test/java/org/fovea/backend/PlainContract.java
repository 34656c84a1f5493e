package org.fovea.backend;

/** {@link BackendContract} but for what {@link AttentionShapes#isPlain} leaves out, and what comes after the second order. */
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
