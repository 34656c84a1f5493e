package org.fovea.backend.contract;

/**
 * {@link BackendContract} for attention by scaled dot products, with as many key heads as heads and keys hidden by causality,
 * window, segments and lengths alone, up to the second order.
 */
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
