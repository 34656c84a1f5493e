// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnxruntime.TensorInfo;
import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.io.TensorData;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a model has as inputs and says of them, and what none is made of. */
@Tag("integration")
class PolicyModelTest {
    private static SavedPolicy policy() {
        RunSpec spec = Runs.small(
                        "popgym-RepeatPreviousEasy-v0",
                        PolicyKind.ATTENTION,
                        1,
                        Map.of("layers", "1", "critic", "separate"))
                .withEnvironments(8);
        try (Backend backend = Runs.cpu(1);
                OpenRun run = OpenRun.start(backend, spec)) {
            return PolicyCases.disturbed(run, spec);
        }
    }

    @Test
    void theMemoryIsOfEachNetworkAndLayer() throws Exception {
        try (OnnxSession session = new OnnxSession(PolicyModel.of(policy(), 23).bytes(), 1)) {
            assertThat(session.inputs().keySet())
                    .containsExactly(
                            "observation",
                            "memory.step",
                            "memory.action",
                            "memory.policy.layer0.keys",
                            "memory.policy.layer0.values",
                            "memory.value.layer0.keys",
                            "memory.value.layer0.values");
            TensorInfo keys = (TensorInfo)
                    session.inputs().get("memory.value.layer0.keys").getInfo();
            assertThat(keys.getShape()).containsExactly(-1, 2, 4, 8);
            assertThat(keys.getDimensionNames()).startsWith("batch");
            assertThat(session.metadata().get("fovea.memory")).contains("zeros");
        }
    }

    @Test
    void aPolicyOfAnotherVersionIsNoModel() {
        SavedPolicy policy = policy();
        Map<String, TensorData> less = new LinkedHashMap<>(policy.parameters());
        TensorData removed = less.remove("policy.final_norm.gain");
        assertThat(removed).isNotNull();
        assertThatThrownBy(() -> PolicyModel.of(with(policy, less), 23))
                .isInstanceOf(NotExportableException.class)
                .hasMessageStartingWith("the policy has no parameter policy.final_norm.gain but [");
        Map<String, TensorData> more = new LinkedHashMap<>(policy.parameters());
        more.put("policy.extra.gain", removed);
        assertThatThrownBy(() -> PolicyModel.of(with(policy, more), 23))
                .isInstanceOf(NotExportableException.class)
                .hasMessageStartingWith("the policy has parameters that are not known, [policy.extra.gain]");
    }

    private static SavedPolicy with(SavedPolicy policy, Map<String, TensorData> parameters) {
        return new SavedPolicy(
                policy.spaces(),
                policy.kind(),
                policy.network(),
                policy.valueApart(),
                policy.normalizesObservations(),
                policy.segmentSteps(),
                parameters,
                policy.moments(),
                policy.notes());
    }
}
