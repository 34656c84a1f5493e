// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.UploadBlock;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.backend.rl.RlOps;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of cases has all of the interface, and a backend that is wrong in any one operation is found out. */
@Tag("integration")
class CaseTest {
    private final Backend real = Backends.open("cpu", 1).backend();
    private final Backend reference = new ReferenceBackend();

    @AfterEach
    void close() {
        real.close();
        reference.close();
    }

    /** The replacement of a call of an operation. */
    private interface Plant {
        @Nullable
        Object call(String operation, Method method, Object target, Object[] arguments)
                throws ReflectiveOperationException;
    }

    private static final Set<Class<?>> PARTS = Set.of(Memory.class, MathOps.class, AttentionOps.class, RlOps.class);

    private Backend with(Plant plant) {
        return (Backend) with(plant, Backend.class, "", real);
    }

    private static Object with(Plant plant, Class<?> type, String prefix, Object target) {
        return Proxy.newProxyInstance(
                CaseTest.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    Object[] given = arguments == null ? new Object[0] : arguments;
                    try {
                        return PARTS.contains(method.getReturnType())
                                ? with(plant, method.getReturnType(), method.getName() + '.', method.invoke(target))
                                : plant.call(prefix + method.getName(), method, target, given);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    /**
     * The end of a backend, after which nothing can be checked; a count that each backend keeps in its own way, and what is in it
     * (CudaStepTest); environments, which only devices play: DeviceBatchTest compares theirs with Java's; and other libraries'
     * memory: CudaSharingTest.
     */
    private static final Set<String> UNCHECKED =
            Set.of("close", "calls", "measureIdleTime", "environments", "sharing", "record");

    /** All of the interface that can be checked, by operation and parameter types. */
    private static Map<String, String> signatures() {
        Map<String, String> signatures = new TreeMap<>();
        signatures(Backend.class, "", signatures);
        return signatures;
    }

    private static void signatures(Class<?> type, String prefix, Map<String, String> signatures) {
        for (Method method : type.getMethods()) {
            if (PARTS.contains(method.getReturnType())) {
                signatures(method.getReturnType(), method.getName() + '.', signatures);
            } else if (!Modifier.isStatic(method.getModifiers()) && !UNCHECKED.contains(method.getName())) {
                String operation = prefix + method.getName();
                signatures.put(operation + Arrays.toString(method.getParameterTypes()), operation);
            }
        }
    }

    static Set<String> operations() {
        return new TreeSet<>(signatures().values());
    }

    /** Cases but the largest, which have nothing of their own here. */
    private static List<Case> cases(String operation) {
        return Case.all(false).stream()
                .filter(each -> each.operation().equals(operation))
                .filter(each -> !each.name().startsWith("size") && !each.name().startsWith("many"))
                .toList();
    }

    @Test
    void everyMethodOfTheInterfaceIsCalledInACaseOfItsOwn() {
        Set<String> called = new HashSet<>();
        Set<String> named = new LinkedHashSet<>();
        Case.all(false).forEach(each -> named.add(each.operation()));
        for (String operation : named) {
            Backend recording = with((name, method, target, arguments) -> {
                if (name.equals(operation)) {
                    called.add(name + Arrays.toString(method.getParameterTypes()));
                }
                return method.invoke(target, arguments);
            });
            long overloads =
                    signatures().values().stream().filter(operation::equals).count();
            List<Case> cases = cases(operation);
            for (int i = 0; i < cases.size() && count(called, operation) < overloads; i++) {
                try (Pair pair = new Pair(recording, reference)) {
                    cases.get(i).body().accept(pair);
                }
            }
        }
        assertThat(named).containsExactlyInAnyOrderElementsOf(operations());
        assertThat(called).containsAll(signatures().keySet());
    }

    private static long count(Set<String> signatures, String operation) {
        return signatures.stream()
                .filter(one -> one.startsWith(operation + '['))
                .count();
    }

    @Test
    void everyFeatureOfAttentionIsAmongThem() {
        String text = Case.all(false).stream()
                .filter(each -> each.operation().equals("attention.forward"))
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
        List<Case> cases = cases(operation);
        int[] outputs =
                cases.stream().mapToInt(each -> outputs(operation, each)).toArray();
        for (int output = 0; output < Math.max(1, Arrays.stream(outputs).max().orElse(0)); output++) {
            int wrong = output;
            Backend planted = with((name, method, target, arguments) -> {
                if (!name.equals(operation)) {
                    return method.invoke(target, arguments);
                }
                return method.getReturnType() == void.class && !SPECIAL.contains(name)
                        ? spoil(method, target, arguments, wrong)
                        : lie(name, method, target, arguments);
            });
            List<String> complaints = new ArrayList<>();
            for (int i = 0; i < outputs.length; i++) {
                if (complaints.isEmpty() && (output == 0 || outputs[i] > output)) {
                    try (Pair pair = new Pair(planted, reference)) {
                        cases.get(i).body().accept(pair);
                    } catch (RuntimeException found) {
                        // A number that misleads its caller need not come to a comparison.
                        complaints.add(String.valueOf(found.getMessage()));
                    }
                }
            }
            assertThat(complaints).as("output %d of %s", output, operation).isNotEmpty();
        }
    }

    private static final Set<String> SPECIAL = Set.of("memory.download", "forEachShard");

    /** The most arrays that a call of the operation changes in a case. */
    private int outputs(String operation, Case tried) {
        int[] most = {0};
        Backend counting = with((name, method, target, arguments) -> {
            if (!name.equals(operation)) {
                return method.invoke(target, arguments);
            }
            List<DeviceArray> arrays = arrays(arguments);
            List<double[]> before = arrays.stream().map(this::read).toList();
            Object result = method.invoke(target, arguments);
            most[0] = Math.max(most[0], changed(arrays, before).size());
            return result;
        });
        try (Pair pair = new Pair(counting, reference)) {
            tried.body().accept(pair);
        }
        return most[0];
    }

    private @Nullable Object spoil(Method method, Object target, Object[] arguments, int output)
            throws ReflectiveOperationException {
        List<DeviceArray> arrays = arrays(arguments);
        List<double[]> before = arrays.stream().map(this::read).toList();
        Object result = method.invoke(target, arguments);
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

    /** A wrong answer of an operation that writes to no array of the device. */
    private @Nullable Object lie(String operation, Method method, Object target, Object[] arguments)
            throws ReflectiveOperationException {
        switch (operation) {
            case "memory.download" -> {
                method.invoke(target, arguments);
                if (arguments[1] instanceof float[] x) {
                    x[x.length - 1]++;
                } else if (arguments[1] instanceof double[] x) {
                    x[x.length - 1]++;
                } else if (arguments[1] instanceof int[] x) {
                    x[x.length - 1]++;
                } else {
                    ByteBuffer x = (ByteBuffer) arguments[1];
                    x.put(x.position(), (byte) (x.get(x.position()) + 1));
                }
                return null;
            }
            case "forEachShard" -> {
                real.forEachShard((int) arguments[0] - 1, (IntConsumer) arguments[1]);
                return null;
            }
            case "memory.allocate" -> {
                DeviceArray array = real.memory().allocate((DType) arguments[0], (long) arguments[1]);
                real.memory().fill(array, 7);
                return array;
            }
            case "memory.openScope" -> {
                Scope scope = real.memory().openScope();
                return Proxy.newProxyInstance(
                        CaseTest.class.getClassLoader(),
                        new Class<?>[] {Scope.class},
                        (proxy, m, a) -> m.getName().equals("close") ? null : m.invoke(scope, a));
            }
            case "memory.allocateUploads" -> {
                UploadBlock block = real.memory().allocateUploads((DType[]) arguments[0], (int[]) arguments[1]);
                return Proxy.newProxyInstance(
                        CaseTest.class.getClassLoader(),
                        new Class<?>[] {UploadBlock.class},
                        (proxy, m, a) -> m.getName().equals("put") ? null : m.invoke(block, a));
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
                return WRONG.get(operation);
            }
        }
    }

    private static final Map<String, Object> WRONG = Map.of(
            "name",
            "Big Name",
            "description",
            "",
            "memory.floatType",
            DType.I32,
            "shards",
            0,
            "memory.liveBytes",
            0L,
            "memory.reservedBytes",
            0L,
            "attention.stateSize",
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
