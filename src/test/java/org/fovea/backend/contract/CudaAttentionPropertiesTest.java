// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Tag;
import net.jqwik.api.lifecycle.AddLifecycleHook;
import net.jqwik.api.lifecycle.LifecycleContext;
import net.jqwik.api.lifecycle.SkipExecutionHook;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DType;
import org.fovea.verify.AttentionFeatures;

/** A few small attentions on CUDA, which is simulated where there is none. */
@Tag("integration")
@AddLifecycleHook(CudaAttentionPropertiesTest.NeedsADevice.class)
class CudaAttentionPropertiesTest extends AttentionProperties {

    /** To jqwik an assumption that fails before a property's first try is an error. */
    static final class NeedsADevice implements SkipExecutionHook {
        @Override
        public SkipResult shouldBeSkipped(LifecycleContext context) {
            return Simulator.missing().map(SkipResult::skip).orElse(SkipResult.doNotSkip());
        }
    }

    @Override
    Backend open() {
        return Simulator.open();
    }

    @Override
    Arbitrary<AttentionFeatures> drawn() {
        return AttentionArbitraries.features(6, new int[] {1, 2, 3, 5, 8}, DType.F32, DType.F32, DType.BF16, DType.F16);
    }

    @Property(tries = 20, edgeCases = EdgeCasesMode.NONE)
    void valuesAndGradients(@ForAll("features") AttentionFeatures features, @ForAll long seed) {
        firstOrder(features, seed);
    }

    @Property(tries = 12, edgeCases = EdgeCasesMode.NONE)
    void tangents(@ForAll("features") AttentionFeatures features, @ForAll long seed) {
        secondOrder(features, seed);
    }

    @Property(tries = 8, edgeCases = EdgeCasesMode.NONE)
    void higherOrders(
            @ForAll("features") AttentionFeatures features, @ForAll("rings") SeriesRing ring, @ForAll long seed) {
        series(features, ring, seed);
    }
}
