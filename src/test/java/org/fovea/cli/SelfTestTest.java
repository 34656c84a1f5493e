// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceException;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.RlOps;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The self-test passes on the CPU, and sees every kind of defect that is planted. */
@Tag("integration")
class SelfTestTest {

    /** A side effect of an operation: it gets the real backend and the operation's arguments. */
    private interface Mischief extends BiConsumer<Backend, Object[]> {}

    private static Backend planted(Backend real, Map<String, Mischief> defects) {
        return (Backend) Proxy.newProxyInstance(
                SelfTestTest.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    try {
                        return planted(real, defects, method.getReturnType(), method.invoke(real, arguments));
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    /** A room of a backend with the defects planted in it; anything else as it is. */
    private static Object planted(Backend real, Map<String, Mischief> defects, Class<?> type, Object room) {
        if (type != MathOps.class && type != AttentionOps.class && type != RlOps.class) {
            return room;
        }
        return Proxy.newProxyInstance(
                SelfTestTest.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    try {
                        Object result = method.invoke(room, arguments);
                        defects.getOrDefault(method.getName(), (backend, none) -> {})
                                .accept(real, arguments);
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Test
    void passesOnTheCpu() throws IOException {
        Cli cli = Cli.run("selftest", "--backend", "cpu", "--json");
        assertThat(cli.exitCode()).as(cli.out()).isZero();
        JsonNode json = cli.lastLineAsJson();
        assertThat(json.get("passed").asBoolean()).isTrue();
        assertThat(json.get("backend").asText()).isEqualTo("cpu");
        List<String> names = new ArrayList<>();
        for (JsonNode check : json.get("checks")) {
            names.add(check.get("name").asText());
            assertThat(check.get("result").asText()).as(check.toString()).isEqualTo("passed");
            assertThat(check.get("cases").asInt()).isPositive();
            assertThat(check.get("cases_skipped").asInt()).isZero();
            assertThat(check.get("share_of_allowed").asDouble()).isBetween(0.0, 1.0);
        }
        assertThat(names).contains("math.gemm", "attention.backwardTangent", "rl.adam", "updates of PPO");
        assertThat(json.get("operations").asInt()).isEqualTo(names.size() - 2);
    }

    @Test
    void aCheckThatIsNamedRunsAlone() throws IOException {
        JsonNode checks = Cli.run(Cli.words("selftest --backend cpu --json --only math.gemm,math.iota"))
                .lastLineAsJson()
                .get("checks");
        assertThat(checks.findValuesAsText("name")).containsExactlyInAnyOrder("math.gemm", "math.iota");
        Cli unknown = Cli.run(Cli.words("selftest --backend cpu --only math.gem"));
        assertThat(unknown.exitCode()).isEqualTo(2);
        assertThat(unknown.err())
                .startsWith("fovea selftest: there is no check 'math.gem'; there are ")
                .contains("math.gemm");
    }

    @Test
    void everyKindOfDefectIsSeen() {
        int[] calls = {0};
        Map<String, Mischief> defects = Map.of(
                "tangent",
                (backend, arguments) -> {
                    DeviceArray tangent = (DeviceArray) ((AttentionPlane<?>) arguments[3]).output();
                    backend.memory().fill(tangent.slice(tangent.length() - 1, 1), 1000);
                },
                "argmax",
                (backend, arguments) -> backend.memory().allocate(DType.F32, 1000),
                "scatterAddRows",
                (backend, arguments) -> {
                    throw new DeviceException("cuLaunchKernel failed in scatterAddRows", 700);
                },
                // Less than what rounding may be off by, now and then.
                "backward",
                (backend, arguments) -> {
                    DeviceArray gradient = (DeviceArray) ((AttentionPlane<?>) arguments[3]).query();
                    if (gradient.length() == 0) {
                        return;
                    }
                    DeviceArray last = gradient.slice(gradient.length() - 1, 1);
                    try (Scope scope = backend.memory().openScope()) {
                        DeviceArray factor = scope.allocate(DType.F32, 1);
                        backend.memory().fill(factor, calls[0]++ % 3 == 0 ? 1 + 0x1p-22 : 1);
                        int[] one = {1};
                        backend.math().zip(BinaryOp.MULTIPLY, one, last, one, factor, one, last);
                    }
                });
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrintStream print = new PrintStream(out, true, StandardCharsets.UTF_8);
        int exitCode;
        try (Backend real = Backends.open("cpu", 1).backend()) {
            exitCode = new SelfTestCommand(new Terminal(print, print, 0))
                    .test(
                            planted(real, defects),
                            BackendSettings.Precision.FLOAT32,
                            List.of(
                                    "math.scatterAddRows",
                                    "attention.tangent",
                                    "rl.argmax",
                                    "attention.backward",
                                    "the same bits again"));
        }
        assertThat(exitCode).isEqualTo(1);
        List<String> failed = out.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.startsWith("failed: "))
                .toList();
        assertThat(failed).hasSize(4);
        assertThat(failed.get(0))
                .startsWith("failed: math.scatterAddRows: ")
                .contains("DeviceException: cuLaunchKernel failed in scatterAddRows");
        assertThat(failed.get(1))
                .startsWith("failed: attention.tangent: tangent of output of one pair: AttentionShape[")
                .containsPattern("element 0 of 1 is 1000\\.\\d*, expected \\S+ within \\S+");
        assertThat(failed.get(2))
                .startsWith("failed: rl.argmax: ")
                .contains("memory in use went from 0 to ")
                .contains(" bytes, expected as much as before");
        assertThat(failed.get(3)).matches("failed: the same bits again: run [12]: element .*");
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("4 operations and 1 checks beyond them, in ");
    }
}
