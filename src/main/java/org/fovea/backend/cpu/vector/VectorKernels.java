package org.fovea.backend.cpu.vector;

import jdk.incubator.vector.FloatVector;
import org.fovea.backend.cpu.ScalarKernels;

/** Kernels on the widest vectors that the machine prefers. */
public final class VectorKernels extends ScalarKernels {

    /** For the look-up by name. */
    public VectorKernels() {}

    @Override
    public String description() {
        return FloatVector.SPECIES_PREFERRED.length() + " lanes";
    }
}
