package org.fovea.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.reference.ReferenceBackend;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of cases has all of the interface, and a backend that is wrong in any one operation is found out. */
class CaseTest {
    private final Backend real = Backends.open("cpu", 1).backend();
    private final Backend reference = new ReferenceBackend();

    @AfterEach
    void close() {
        real.close();
        reference.close();
    }

    /** What happens to a call beside it being made. */
    private interface Plant {
        @Nullable
        Object call(Method method, Object[] arguments) throws ReflectiveOperationException;
    }

    private static Backend with(Plant plant) {
        return (Backend) Proxy.newProxyInstance(
                CaseTest.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    try {
                        return plant.call(method, arguments == null ? new Object[0] : arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    /** All but the end of it, after which nothing can be checked. */
    private static List<Method> methods() {
        return Stream.of(Backend.class.getMethods())
                .filter(method -> !Modifier.isStatic(method.getModifiers()))
                .filter(method -> !method.getName().equals("close"))
                .toList();
    }

    static Set<String> operations() {
        Set<String> names = new TreeSet<>();
        methods().forEach(method -> names.add(method.getName()));
        return names;
    }

    @Test
    void everyMethodOfTheInterfaceIsCalledInACaseOfItsOwn() {
        Set<String> called = new HashSet<>();
        String[] current = new String[1];
        Backend recording = with((method, arguments) -> {
            if (method.getName().equals(current[0])) {
                called.add(method.getName() + Arrays.toString(method.getParameterTypes()));
            }
            return method.invoke(real, arguments);
        });
        Set<String> named = new LinkedHashSet<>();
        for (Case each : Case.all(false)) {
            named.add(each.operation());
            current[0] = each.operation();
            try (Pair pair = new Pair(recording, reference)) {
                each.body().accept(pair);
            }
        }
        assertThat(named).containsExactlyInAnyOrderElementsOf(operations());
        assertThat(called)
                .containsAll(methods().stream()
                        .map(method -> method.getName() + Arrays.toString(method.getParameterTypes()))
                        .toList());
    }

    @Test
    void everyFeatureOfAttentionIsAmongThem() {
        String text = Case.all(false).stream()
                .filter(each -> each.operation().equals("attentionForward"))
                .map(Case::name)
                .reduce("", (a, b) -> a + b + "\n");
        assertThat(text)
                .contains("causal=true", "window=2,1", "BOTTOM_RIGHT", "segments", "lengths", "mask[", "softcap")
                .contains("alibi", "sink", "dropout", "bias[", "relative up to", "pastKeys", "sequences", "COSINE")
                .contains("EUCLIDEAN", "BF16", "F16", "F64", "hidesNaN", "scale=-0.37");
    }

    /** Every output that an operation changes, one after the other, is off in a single element. */
    @ParameterizedTest
    @MethodSource("operations")
    void aWrongResultIsFound(String operation) {
        if (operation.equals("synchronize")) {
            return; // What it waits for is there already on a CPU.
        }
        int outputs = Math.max(1, outputs(operation));
        for (int output = 0; output < outputs; output++) {
            int wrong = output;
            Backend planted = with((method, arguments) -> {
                if (!method.getName().equals(operation)) {
                    return method.invoke(real, arguments);
                }
                return method.getReturnType() == void.class && !SPECIAL.contains(operation)
                        ? spoil(method, arguments, wrong)
                        : lie(method, arguments);
            });
            List<String> complaints = new ArrayList<>();
            for (Case each : Case.all(false)) {
                if (each.operation().equals(operation) && complaints.isEmpty()) {
                    try (Pair pair = new Pair(planted, reference)) {
                        each.body().accept(pair);
                    } catch (RuntimeException found) {
                        // A number that misleads its caller need not come to a comparison.
                        complaints.add(String.valueOf(found.getMessage()));
                    }
                }
            }
            assertThat(complaints).as("output %d of %s", output, operation).isNotEmpty();
        }
    }

    private static final Set<String> SPECIAL = Set.of("download", "forEachShard");

    /** How many arrays a call of the operation changes at most. */
    private int outputs(String operation) {
        int[] most = {0};
        Backend counting = with((method, arguments) -> {
            if (!method.getName().equals(operation)) {
                return method.invoke(real, arguments);
            }
            List<DeviceArray> arrays = arrays(arguments);
            List<double[]> before = arrays.stream().map(this::read).toList();
            Object result = method.invoke(real, arguments);
            most[0] = Math.max(most[0], changed(arrays, before).size());
            return result;
        });
        for (Case each : Case.all(false)) {
            if (each.operation().equals(operation)) {
                try (Pair pair = new Pair(counting, reference)) {
                    each.body().accept(pair);
                }
            }
        }
        return most[0];
    }

    private @Nullable Object spoil(Method method, Object[] arguments, int output) throws ReflectiveOperationException {
        List<DeviceArray> arrays = arrays(arguments);
        List<double[]> before = arrays.stream().map(this::read).toList();
        Object result = method.invoke(real, arguments);
        List<DeviceArray> changed = changed(arrays, before);
        if (output < changed.size()) {
            DeviceArray array = changed.get(output);
            double[] values = read(array);
            int at = values.length - 1;
            while (at >= 0 && !Double.isFinite(values[at])) {
                at--;
            }
            if (at >= 0) {
                real.memory().fill(array.slice(at, 1), values[at] + Math.max(1, Math.abs(values[at])));
            }
        }
        return result;
    }

    /** What doesn't write to arrays of the device says something wrong. */
    private @Nullable Object lie(Method method, Object[] arguments) throws ReflectiveOperationException {
        switch (method.getName()) {
            case "download" -> {
                method.invoke(real, arguments);
                if (arguments[1] instanceof float[] x) {
                    x[x.length - 1]++;
                } else if (arguments[1] instanceof double[] x) {
                    x[x.length - 1]++;
                } else {
                    int[] x = (int[]) arguments[1];
                    x[x.length - 1]++;
                }
                return null;
            }
            case "forEachShard" -> {
                real.forEachShard((int) arguments[0] - 1, (IntConsumer) arguments[1]);
                return null;
            }
            case "allocate" -> {
                DeviceArray array = real.memory().allocate((DType) arguments[0], (long) arguments[1]);
                real.memory().fill(array, 7);
                return array;
            }
            case "openScope" -> {
                Scope scope = real.memory().openScope();
                return Proxy.newProxyInstance(
                        CaseTest.class.getClassLoader(),
                        new Class<?>[] {Scope.class},
                        (proxy, m, a) -> m.getName().equals("close") ? null : m.invoke(scope, a));
            }
            case "capture" -> {
                CapturedStep step = real.capture((Runnable) arguments[0]);
                return Proxy.newProxyInstance(
                        CaseTest.class.getClassLoader(),
                        new Class<?>[] {CapturedStep.class},
                        (proxy, m, a) -> m.getName().equals("replay") ? null : m.invoke(step, a));
            }
            case "seconds" -> {
                return -1.0;
            }
            default -> {
                return WRONG.get(method.getName());
            }
        }
    }

    private static final Map<String, Object> WRONG = Map.of(
            "name",
            "Big Name",
            "description",
            "",
            "floatType",
            DType.I32,
            "shards",
            0,
            "liveBytes",
            0L,
            "reservedBytes",
            0L,
            "attentionStateSize",
            -1L);

    private double[] read(DeviceArray array) {
        double[] values = new double[(int) array.length()];
        if (array.dtype() == DType.I32) {
            int[] integers = new int[values.length];
            real.memory().download(array, integers, 0);
            Arrays.setAll(values, i -> integers[i]);
        } else {
            real.memory().download(array, values, 0);
        }
        return values;
    }

    private List<DeviceArray> changed(List<DeviceArray> arrays, List<double[]> before) {
        List<DeviceArray> changed = new ArrayList<>();
        for (int i = 0; i < arrays.size(); i++) {
            if (!Arrays.equals(before.get(i), read(arrays.get(i)))) {
                changed.add(arrays.get(i));
            }
        }
        return changed;
    }

    /** The arrays among arguments, those in records and lists too. */
    private static List<DeviceArray> arrays(Object... arguments) throws ReflectiveOperationException {
        List<DeviceArray> arrays = new ArrayList<>();
        for (Object argument : arguments) {
            if (argument instanceof DeviceArray array) {
                arrays.add(array);
            } else if (argument instanceof List<?> list) {
                arrays.addAll(arrays(list.toArray()));
            } else if (argument instanceof Record record) {
                for (RecordComponent part : record.getClass().getRecordComponents()) {
                    Object value = part.getAccessor().invoke(record);
                    arrays.addAll(value == null ? List.of() : arrays(value));
                }
            }
        }
        return arrays;
    }

    @Test
    void aPairSaysWhatIsWrong() {
        try (Pair pair = new Pair(real, reference)) {
            Pair.Both x = pair.floats(1, 2, 3);
            real.memory().fill(x.on(real).slice(1, 1), 5);
            assertThatThrownBy(() -> x.isWithin(1, "numbers"))
                    .isInstanceOf(WrongResultException.class)
                    .hasMessageStartingWith("numbers: element 1 of 3 is 5.0, expected 2.0 within ");
            assertThat(pair.share()).isGreaterThan(1);
        }
    }
}
