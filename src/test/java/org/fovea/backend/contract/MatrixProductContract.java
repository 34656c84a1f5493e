package org.fovea.backend.contract;

/** The part of {@link BackendContract} that is about matrix products, for settings that change no more than those. */
public abstract class MatrixProductContract extends ContractSuite implements GemmContract {}
