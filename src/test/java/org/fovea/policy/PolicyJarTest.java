// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The jar of inference alone, as pom.xml says what is in it: small, and enough for every kind of policy. */
@Tag("integration")
final class PolicyJarTest {
    private static final int MOST_BYTES = 1_000_000;

    @TempDir
    Path folder;

    @Test
    void actsWithNothingElseOnTheClassPath() throws Exception {
        Path jar = jar();
        assertThat(Files.size(jar)).isLessThan(MOST_BYTES);
        List<Path> policies = new ArrayList<>();
        policies.add(policy("Pendulum-v1", PolicyKind.MLP, "normalize_observations=true action_limit=tanh"));
        policies.add(policy("MemoryChain-v0", PolicyKind.ATTENTION, "similarity=cosine gating=true"));
        policies.add(policy("NearestEntityAndCount-v0", PolicyKind.MLP, null));
        policies.add(policy("Catch-v0", PolicyKind.GRU, null));
        policies.add(folder.resolve("Catch-v0")); // the run itself
        try (URLClassLoader alone =
                new URLClassLoader(new URL[] {jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader())) {
            Class<?> type = alone.loadClass("org.fovea.policy.Policy");
            for (Path file : policies) {
                Object policy = type.getMethod("load", Path.class).invoke(null, file);
                Object session = type.getMethod("newSession").invoke(policy);
                float[] observation =
                        new float[Policy.load(file).observationSpace().size()];
                observation[observation.length - 1] = 1;
                for (int i = 0; i < 20; i++) {
                    String there = session.getClass()
                            .getMethod("sample", float[].class)
                            .invoke(session, (Object) observation)
                            .toString();
                    assertThat(there).startsWith("Action[");
                }
                String mine = Policy.load(file).newSession().act(observation).toString();
                Object fresh = type.getMethod("newSession").invoke(policy);
                assertThat(fresh.getClass().getMethod("act", float[].class).invoke(fresh, (Object) observation))
                        .hasToString(mine);
            }
        }
    }

    private Path policy(String environment, PolicyKind kind, String settings) throws IOException {
        Path run = SmallRuns.train(folder.resolve(environment), environment, kind, settings);
        return SmallRuns.export(run, folder.resolve(environment + ".safetensors"));
    }

    private Path jar() throws Exception {
        String pom = Files.readString(Path.of("pom.xml"));
        Matcher execution = Pattern.compile("/policy</outputDirectory>(.*?)</resources>", Pattern.DOTALL)
                .matcher(pom);
        assertThat(execution.find()).isTrue();
        List<PathMatcher> included = Pattern.compile("<include>(.*?)</include>")
                .matcher(execution.group(1))
                .results()
                .map(include -> FileSystems.getDefault().getPathMatcher("glob:" + include.group(1)))
                .toList();
        Path classes = Path.of(
                Policy.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Path jar = folder.resolve("policy.jar");
        try (OutputStream out = Files.newOutputStream(jar);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            add(zip, classes, included);
            add(zip, Path.of("packaging/policy-jar"), List.of(path -> true));
        }
        return jar;
    }

    private static void add(ZipOutputStream zip, Path root, List<PathMatcher> included) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path name = root.relativize(file);
                if (included.stream().anyMatch(matcher -> matcher.matches(name))) {
                    zip.putNextEntry(new ZipEntry(name.toString()));
                    Files.copy(file, zip);
                    zip.closeEntry();
                }
            }
        }
    }
}
