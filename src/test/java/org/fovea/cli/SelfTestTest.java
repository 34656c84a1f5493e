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
import java.util.function.BiConsumer;
import org.fovea.backend.AttentionArguments;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.DeviceException;
import org.junit.jupiter.api.Test;

/** The self-test passes on the CPU, and sees every kind of defect that is planted. */
class SelfTestTest {

    /** After an operation of that name, the mischief gets the real backend and the operation's arguments. */
    private static Backend planted(Backend real, String operation, BiConsumer<Backend, Object[]> mischief) {
        return (Backend) Proxy.newProxyInstance(
                SelfTestTest.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    try {
                        Object result = method.invoke(real, arguments);
                        if (method.getName().equals(operation)) {
                            mischief.accept(real, arguments);
                        }
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static Cli test(String operation, BiConsumer<Backend, Object[]> mischief) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrintStream print = new PrintStream(out, true, StandardCharsets.UTF_8);
        try (Backend real = Backends.open("cpu", 1).backend()) {
            int exitCode = new SelfTestCommand(new Terminal(print, print, 0)).test(planted(real, operation, mischief));
            return new Cli(exitCode, out.toString(StandardCharsets.UTF_8), "");
        }
    }

    private static List<String> failed(Cli cli) {
        return cli.out().lines().filter(line -> line.startsWith("failed: ")).toList();
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
            assertThat(check.get("result").asText())
                    .as(check.toString())
                    .isIn("passed", check.get("name").asText().contains("16") ? "skipped" : "passed");
            assertThat(check.get("share_of_allowed").asDouble()).isBetween(0.0, 1.0);
        }
        assertThat(names).contains("matrix products", "attention's tangents", "Adam", "updates of PPO");
    }

    @Test
    void aWrongElementIsSeen() {
        Cli cli = test("attentionTangent", (backend, arguments) -> {
            DeviceArray tangent = (DeviceArray) arguments[6];
            backend.fill(tangent.slice(tangent.length() - 1, 1), 1000);
        });
        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(failed(cli))
                .singleElement()
                .satisfies(line -> assertThat(line)
                        .startsWith("failed: attention's tangents: tangent of the output of AttentionShape[")
                        .containsPattern("element 0 of 1 is 1000\\.\\d*, expected \\S+ within \\S+"));
    }

    @Test
    void aLeakIsSeen() {
        Cli cli = test("argmax", (backend, arguments) -> backend.allocate(DType.F32, 1000));
        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(failed(cli))
                .singleElement()
                .satisfies(line -> assertThat(line)
                        .startsWith("failed: sampled choices: memory in use went from 0 to ")
                        .contains("expected as much as before"));
    }

    @Test
    void whatIsNotTheSameAgainIsSeen() {
        int[] calls = {0};
        Cli cli = test("attentionBackward", (backend, arguments) -> {
            // Less than what rounding may be off by, now and then.
            DeviceArray gradient = ((AttentionArguments) arguments[7]).query();
            DeviceArray last = gradient.slice(gradient.length() - 1, 1);
            double[] value = new double[1];
            backend.download(last, value, 0);
            backend.fill(last, value[0] * (calls[0]++ % 3 == 0 ? 1 + 0x1p-22 : 1));
        });
        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(failed(cli)).singleElement().asString().startsWith("failed: the same bits again: run ");
    }

    @Test
    void whatThrowsHasFailed() {
        Cli cli = test("rotary", (backend, arguments) -> {
            throw new DeviceException("cuLaunchKernel failed in rotary", 700);
        });
        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(failed(cli))
                .contains("failed: rotary encoding: DeviceException: cuLaunchKernel failed in rotary")
                .hasSizeLessThanOrEqualTo(2);
    }
}
