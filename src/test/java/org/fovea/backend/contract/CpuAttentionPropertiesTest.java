// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.fovea.backend.memory.DType;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;

/** Hundreds of attentions on the CPU. */
class CpuAttentionPropertiesTest extends AttentionProperties {

    @Override
    Backend open() {
        return Backends.open("cpu", 2).backend();
    }

    @Override
    Arbitrary<AttentionFeatures> drawn() {
        return AttentionArbitraries.features(
                20, new int[] {1, 2, 3, 5, 8, 17, 40}, DType.F32, DType.F32, DType.F64, DType.BF16, DType.F16);
    }

    @Provide
    Arbitrary<AttentionFeatures> tiles() {
        return AttentionArbitraries.tiles();
    }

    @Property(tries = 120, edgeCases = EdgeCasesMode.NONE)
    void valuesAndGradientsOfSeveralTiles(@ForAll("tiles") AttentionFeatures features, @ForAll long seed) {
        firstOrder(features, seed);
    }

    @Property(tries = 40, edgeCases = EdgeCasesMode.NONE)
    void valuesAndGradientsByScalarKernels(@ForAll("tiles") AttentionFeatures features, @ForAll long seed) {
        try (Backend scalar = new CpuBackend(new ScalarKernels(), 2)) {
            firstOrder(scalar, features, seed);
        }
    }

    /** The reference of a pair need not be the float64 one: here it is the same backend with one thread. */
    @Property(tries = 60, edgeCases = EdgeCasesMode.NONE)
    void threadsDoNotChangeABit(@ForAll("tiles") AttentionFeatures features, @ForAll long seed) {
        try (Backend alone = Backends.open("cpu", 1).backend();
                Backend together = Backends.open("cpu", 3).backend();
                Pair p = new Pair(together, alone)) {
            new AttentionProblem(p, features, seed).checkSameBits();
        }
    }

    @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
    void valuesAndGradients(@ForAll("features") AttentionFeatures features, @ForAll long seed) {
        firstOrder(features, seed);
    }

    @Property(tries = 200, edgeCases = EdgeCasesMode.NONE)
    void tangents(@ForAll("features") AttentionFeatures features, @ForAll long seed) {
        secondOrder(features, seed);
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void higherOrders(
            @ForAll("features") AttentionFeatures features, @ForAll("rings") SeriesRing ring, @ForAll long seed) {
        series(features, ring, seed);
    }
}
