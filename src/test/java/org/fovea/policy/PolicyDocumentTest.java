// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fovea.Javac;
import org.fovea.Python;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The programs in docs/policy.md, as they stand there. */
@Tag("integration")
final class PolicyDocumentTest {
    private static final Pattern EXAMPLE =
            Pattern.compile("<!-- example: (\\S+) -->\\s*```\\w+\\n(.*?)```", Pattern.DOTALL);

    @TempDir
    Path folder;

    private Path example(String name) throws IOException {
        Matcher example = EXAMPLE.matcher(Files.readString(Path.of("docs/policy.md")));
        while (example.find()) {
            if (example.group(1).equals(name)) {
                return Files.writeString(folder.resolve(name), example.group(2));
            }
        }
        throw new AssertionError("docs/policy.md has no example " + name);
    }

    @Test
    void theJavaProgramActs() throws Exception {
        Path run = SmallRuns.train(folder.resolve("run"), "CartPole-v1", PolicyKind.MLP, null);
        Javac.compile(folder, example("Act.java"));
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
            loader.loadClass("Act").getMethod("main", String[].class).invoke(null, (Object)
                    new String[] {run.toString()});
        }
    }

    @Test
    void theServiceCompiles() {
        Javac.compile(
                folder,
                Path.of("examples/policy-service/PolicyService.java"),
                Path.of("examples/policy-service/LoadTest.java"));
    }

    /** The module is the same function of an episode as a session, its own choices given back to it. */
    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, MLP, normalize_observations=true",
        "MemoryChain-v0, ATTENTION, layers=2",
        "CartPole-v1, ATTENTION, layers=1 normalize_observations=true"
    })
    void theModuleOfPyTorchIsTheSameFunction(String environment, PolicyKind kind, String settings) throws Exception {
        Python.require("torch");
        example("fovea_policy.py");
        Path file = SmallRuns.export(
                SmallRuns.train(folder.resolve("run"), environment, kind, settings),
                folder.resolve("policy.safetensors"));
        Policy policy = Policy.load(file);
        int size = policy.observationSpace().size();
        Random random = new Random(4);
        List<String> observations = new ArrayList<>();
        List<String> choices = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        try (PolicySession session = policy.newSession()) {
            for (int step = 0; step < 30; step++) {
                float[] observation = new float[size];
                for (int i = 0; i < size; i++) {
                    observation[i] = (float) random.nextGaussian();
                }
                Decision decision = session.sample(observation);
                observations.add(Arrays.toString(observation));
                choices.add(Integer.toString(decision.choice()));
                float[] outputs = Arrays.copyOf(decision.outputs(0), 3);
                outputs[2] = decision.value();
                expected.add(Arrays.toString(outputs));
            }
        }
        Path check = Files.writeString(folder.resolve("check.py"), """
                import torch
                from fovea_policy import FoveaPolicy
                policy = FoveaPolicy("policy.safetensors")
                logits, values = policy(torch.tensor(%s), torch.tensor(%s))
                difference = (torch.cat([logits, values], -1) - torch.tensor(%s)).abs().max().item()
                names = [name for name, _ in policy.named_parameters()]
                assert difference < 1e-4, difference
                """.formatted(observations, choices, expected));
        Python.run(folder, check.toString());
    }
}
