// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import static org.fovea.backend.cpu.kernels.vector.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.fovea.backend.cpu.kernels.Kernels.AdamUpdate;
import org.fovea.backend.cpu.memory.CpuArray;

/** The optimiser's step. */
final class VectorAdam {
    private VectorAdam() {}

    /** Updates whole vectors of {@code n} parameters from {@code from} on; returns how many parameters were done. */
    static int update(
            AdamUpdate u,
            int from,
            int n,
            CpuArray gradients,
            CpuArray firstMoment,
            CpuArray secondMoment,
            CpuArray parameters) {
        float[] gradient = gradients.floats;
        float[] first = firstMoment.floats;
        float[] second = secondMoment.floats;
        float[] theta = parameters.floats;
        int go = gradients.offset + from;
        int fo = firstMoment.offset + from;
        int so = secondMoment.offset + from;
        int to = parameters.offset + from;
        FloatVector gradientScale = FloatVector.broadcast(SPECIES, u.gradientScale());
        FloatVector beta1 = FloatVector.broadcast(SPECIES, u.beta1());
        FloatVector beta2 = FloatVector.broadcast(SPECIES, u.beta2());
        FloatVector rest1 = FloatVector.broadcast(SPECIES, 1f - u.beta1());
        FloatVector rest2 = FloatVector.broadcast(SPECIES, 1f - u.beta2());
        FloatVector rate = FloatVector.broadcast(SPECIES, u.rate());
        FloatVector secondScale = FloatVector.broadcast(SPECIES, u.secondScale());
        FloatVector epsilon = FloatVector.broadcast(SPECIES, u.epsilon());
        int end = SPECIES.loopBound(n);
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector g = gradientScale.mul(FloatVector.fromArray(SPECIES, gradient, go + i));
            FloatVector m =
                    beta1.mul(FloatVector.fromArray(SPECIES, first, fo + i)).add(rest1.mul(g));
            FloatVector v = beta2.mul(FloatVector.fromArray(SPECIES, second, so + i))
                    .add(rest2.mul(g).mul(g));
            m.intoArray(first, fo + i);
            v.intoArray(second, so + i);
            FloatVector step = rate.mul(m).div(v.sqrt().mul(secondScale).add(epsilon));
            FloatVector.fromArray(SPECIES, theta, to + i).sub(step).intoArray(theta, to + i);
        }
        return end;
    }
}
