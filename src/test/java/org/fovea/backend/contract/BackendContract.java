package org.fovea.backend.contract;

/**
 * What every backend must do, told by comparison with the float64 reference: extend this and say how to open one. Tests
 * of operations that the backend reports as not supported yet are skipped, with the operation's name.
 *
 * <p>Tolerances are rounding-error bounds: units of rounding times the square root of the number of terms (Higham and
 * Mary 2019) times the sum of the terms' magnitudes, with a single-digit constant.
 */
public abstract class BackendContract extends PlainContract
        implements FeatureContract,
                RelativeBiasContract,
                SpecialValuesContract,
                ExtremeScoresContract,
                AttentionStepContract {}
