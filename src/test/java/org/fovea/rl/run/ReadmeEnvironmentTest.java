// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fovea.Javac;
import org.fovea.backend.Backend;
import org.fovea.env.Environment;
import org.fovea.env.Environments;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The complete environment in the README compiles as it stands there, and can be learned. */
class ReadmeEnvironmentTest {
    private static final Pattern EXAMPLE =
            Pattern.compile("<!-- example: (\\w+)\\.java -->\\s*```java\\n(.*?)```", Pattern.DOTALL);

    @TempDir
    Path directory;

    @Test
    void compilesAndLearns() throws Exception {
        Matcher example = EXAMPLE.matcher(Files.readString(Path.of("README.md")));
        assertThat(example.find()).as("an example in README.md").isTrue();
        Class<?> type = compile(example.group(1), example.group(2));
        Environments.register("ReadmeExample-v0", "the README's", () -> instance(type));

        RunSpec spec = Defaults.of("ReadmeExample-v0", Algorithm.PPO, PolicyKind.MLP)
                .withSteps(30_000)
                .withEnvironments(32)
                .with(Map.of("rollout_steps", "32", "learning_rate", "0.003", "width", "16"));
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, directory.resolve("run"))) {
            TrainResult result = trainer.run(Progress.Listener.NONE, () -> false);
            // At most four steps, all but the last of which cost 0.01.
            assertThat(result.evaluation().min()).isGreaterThanOrEqualTo(0.97 - 1e-6);
            assertThat(trainer.resumesExactly()).isFalse();
        }
    }

    private Class<?> compile(String name, String source) throws Exception {
        Path file = Files.writeString(directory.resolve(name + ".java"), source);
        Javac.compile(directory, file);
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {directory.toUri().toURL()})) {
            return loader.loadClass(name);
        }
    }

    private static Environment instance(Class<?> type) {
        try {
            return (Environment) type.getConstructor().newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
