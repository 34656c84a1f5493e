package org.fovea.backend;

import static org.assertj.core.api.Assertions.assertThat;

import org.fovea.backend.reference.ReferenceBackend;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * What every backend must do, told by comparison with the float64 reference: extend this and say how to open one. Tests
 * of operations that the backend reports as not supported yet are skipped, with the operation's name.
 *
 * <p>Tolerances are rounding-error bounds: units of rounding times the square root of the number of terms (Higham and
 * Mary 2019) times the sum of the terms' magnitudes, with a single-digit constant.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(SkipUnsupported.class)
public abstract class BackendContract
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
                ShapeContract {

    private Backend tested;
    private Backend reference;

    /** A new backend, of which several may be open at once. */
    @Override
    public abstract Backend open();

    @BeforeAll
    final void openBoth() {
        tested = open();
        reference = new ReferenceBackend();
    }

    @Override
    public final Pair pair() {
        return new Pair(tested, reference);
    }

    @Override
    public final Backend tested() {
        return tested;
    }

    @AfterEach
    final void nothingIsLeftAllocated() {
        assertThat(tested.liveBytes()).as("bytes left allocated").isZero();
    }

    @AfterAll
    final void closeBoth() {
        // Not there if opening it was skipped.
        if (tested != null) {
            tested.close();
            reference.close();
        }
    }
}
