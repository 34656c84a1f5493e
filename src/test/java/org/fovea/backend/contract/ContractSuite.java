// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;

import org.fovea.backend.Backend;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/** A backend and the reference, for the tests of one class; nothing may be left allocated after any of them. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(SkipUnsupported.class)
public abstract class ContractSuite implements ContractFixture {
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
        assertThat(tested.memory().liveBytes()).as("bytes left allocated").isZero();
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
