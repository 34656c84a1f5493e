// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.fovea.Python;
import org.fovea.backend.Backend;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.run.NearestEntity;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** ONNX's own checker, with shapes inferred, on every kind of policy and every version of the operators where something changes. */
@Tag("integration")
class OnnxCheckerTest {
    private static final String CHECK = """
            import pathlib
            import sys
            import onnx
            for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):
                model = onnx.load(file)
                try:
                    onnx.checker.check_model(model, full_check=True)
                except Exception as failure:
                    sys.exit(f"{file.name}: {failure}")
                operators = {node.op_type for node in model.graph.node}
                print(file.name, *sorted(operators & {"Attention", "RotaryEmbedding"}))
            """;

    @Test
    void findsNothing(@TempDir Path directory) throws Exception {
        Python.require("onnx");
        MixedEnvironment.register();
        NearestEntity.register();
        Path models = Files.createDirectory(directory.resolve("models"));
        List<RunSpec> specs = PolicyCases.all().toList();
        for (int i = 0; i < specs.size(); i++) {
            try (Backend backend = Runs.cpu(1);
                    OpenRun run = OpenRun.start(backend, specs.get(i))) {
                SavedPolicy policy = PolicyCases.disturbed(run, specs.get(i));
                for (int opset : new int[] {17, 18, 23, 24}) {
                    PolicyModel.of(policy, opset)
                            .write(models.resolve(i + "-" + specs.get(i).policy() + "-" + opset));
                }
            }
        }
        Path script = Files.writeString(directory.resolve("check.py"), CHECK);
        List<String> checked = Python.run(directory, script.toString(), models.toString())
                .lines()
                .toList();
        assertThat(checked).hasSize(4 * specs.size());
        assertThat(checked.stream().filter(line -> line.contains("-17 ") || line.contains("-18 ")))
                .noneMatch(line -> line.contains("Attention"));
        assertThat(checked.stream().filter(line -> line.matches("\\d+-attention-2[34] .*")))
                .allMatch(line -> line.contains("Attention"))
                .anyMatch(line -> line.contains("RotaryEmbedding"));
    }
}
