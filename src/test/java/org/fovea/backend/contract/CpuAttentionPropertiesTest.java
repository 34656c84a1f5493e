package org.fovea.backend.contract;

import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.verify.AttentionFeatures;

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
