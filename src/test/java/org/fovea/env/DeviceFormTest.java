// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.fovea.env.games.Games;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a kernel has of a class's numbers: the same ones, by the same names, where it looks for them. */
class DeviceFormTest {
    private static final Path KERNELS = Path.of("kernels", "env");

    /** Fields of a struct, one or several in a line. */
    private static final Pattern FIELD = Pattern.compile("(?m)^\\s*([\\w:]+) (\\w+(?:, \\w+)*(?:,\\s+\\w+)*);");

    private static final Map<String, String> TYPES =
            Map.of("double", "double", "float", "float", "int32_t", "int", "int8_t", "byte", "Pack", "Pack");

    /** Of those of another environment, the constants. */
    private static String type(String inKernel) {
        return inKernel.endsWith("::Constants") ? "Constants" : TYPES.get(inKernel);
    }

    static Stream<EnvironmentSpec> specs() {
        return Games.all().stream();
    }

    @ParameterizedTest
    @MethodSource("specs")
    void constantsHaveTheNamesAndTypesOfTheKernels(EnvironmentSpec spec) throws IOException {
        DeviceForm form = spec.deviceForm().orElseThrow();
        String source = source(form.kernel());
        Matcher registered = Pattern.compile("REGISTER_ENVIRONMENT\\((\\w+), " + form.kernel() + "\\)")
                .matcher(source);
        assertThat(registered.find()).isTrue();
        assertThat(fields(form.constants().getClass())).isEqualTo(fields(constants(source, registered.group(1))));
    }

    private static String source(String kernel) throws IOException {
        try (Stream<Path> files = Files.list(KERNELS)) {
            for (Path file : files.toList()) {
                String text = Files.readString(file);
                if (text.contains(", " + kernel + ")")) {
                    return text;
                }
            }
        }
        throw new AssertionError("no file in " + KERNELS + " registers " + kernel);
    }

    /** The struct Constants of a struct, or of what it inherits. */
    private static String constants(String source, String struct) {
        Matcher begin = Pattern.compile("(?s)\nstruct " + struct + "(?: : (\\w+))? \\{(.*?)\n\\};")
                .matcher(source);
        assertThat(begin.find()).as("struct %s", struct).isTrue();
        Matcher own = Pattern.compile("(?s)struct Constants \\{(.*?)\n    \\};").matcher(begin.group(2));
        return own.find() ? own.group(1) : constants(source, begin.group(1));
    }

    private static List<String> fields(String struct) {
        List<String> fields = new ArrayList<>();
        String code = struct.replaceAll("//.*", "");
        for (MatchResult line : FIELD.matcher(code).results().toList()) {
            for (String name : line.group(2).split(",\\s*")) {
                fields.add(type(line.group(1)) + " " + name);
            }
        }
        return fields;
    }

    private static List<String> fields(Class<?> record) {
        List<String> fields = new ArrayList<>();
        for (RecordComponent component : record.getRecordComponents()) {
            String name = component.getName().replaceAll("([A-Z]|\\d+)", "_$1").toLowerCase(Locale.ROOT);
            fields.add(component.getType().getSimpleName() + " " + name);
        }
        return fields;
    }

    private record Inner(byte a, double b) {}

    private record Outer(float x, Inner inner, byte last) {}

    @Test
    void constantsLieAsAStructOfCDoes() {
        DeviceForm form = new DeviceForm("walk", new Outer(1.5f, new Inner((byte) 7, -2), (byte) 9));
        assertThat(form.constantBytes()).isEqualTo(32);
        ByteBuffer bytes = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(form.constantWords());
        assertThat(bytes.getFloat(0)).isEqualTo(1.5f);
        assertThat(bytes.get(8)).isEqualTo((byte) 7);
        assertThat(bytes.getDouble(16)).isEqualTo(-2);
        assertThat(bytes.get(24)).isEqualTo((byte) 9);
    }

    private record Named(String name) {}

    private record Four(double a, double b, double c, double d) {}

    private record Sixteen(Four a, Four b, Four c, Four d) {}

    private record TooMany(Sixteen a, Sixteen b, int last) {}

    @Test
    void otherConstantsAreRefused() {
        assertThatThrownBy(() -> new DeviceForm("walk", new Named("x")).constantWords())
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessage("walk: a constant is a double, float, int, byte or a record of those, not a String");
        Four four = new Four(1, 2, 3, 4);
        Sixteen sixteen = new Sixteen(four, four, four, four);
        assertThatThrownBy(() -> new DeviceForm("walk", new TooMany(sixteen, sixteen, 1)).constantWords())
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessage("walk: its constants have 264 bytes, there can be 256");
    }

    @Test
    void everyBuiltInEnvironmentHasADeviceFormAndNothingWrappedHas() {
        assertThat(Games.all()).allMatch(spec -> spec.deviceForm().isPresent());
        for (String name : List.of("CartPole-v1+frame_stack=2", "CartPole-v1+time_limit=9")) {
            assertThat(Environments.get(name).deviceForm()).as(name).isEmpty();
        }
    }
}
