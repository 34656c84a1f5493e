// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Environments that nobody has registered, by the names of their classes on the class path. */
final class EnvironmentClasses {
    private static final Pattern CLASS_NAME = Pattern.compile("[\\p{Alpha}_$][\\w$]*(\\.[\\p{Alpha}_$][\\w$]*)*");

    private final Map<String, EnvironmentSpec> found = new HashMap<>();

    /**
     * The environment of a class: an {@link Environment} with a constructor without parameters, or a {@link VectorEnvironment} with one
     * that takes the number of environments. The same object each time.
     *
     * @return null if there is no class of that name
     * @throws IllegalArgumentException if there is one, and it is no such environment
     */
    @Nullable
    EnvironmentSpec find(String name) {
        EnvironmentSpec spec = found.get(name);
        if (spec == null && CLASS_NAME.matcher(name).matches()) {
            Class<?> type = load(name);
            if (type != null) {
                spec = spec(name, type);
                found.put(name, spec);
            }
        }
        return spec;
    }

    private static @Nullable Class<?> load(String name) {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        try {
            return Class.forName(name, false, loader == null ? ClassLoader.getSystemClassLoader() : loader);
        } catch (ClassNotFoundException | LinkageError e) {
            return null;
        }
    }

    private static EnvironmentSpec spec(String name, Class<?> type) {
        String summary = "the class " + name + " of the class path";
        if (Environment.class.isAssignableFrom(type)) {
            Constructor<?> constructor = constructor(name, type);
            return EnvironmentSpec.of(name, summary, () -> (Environment) make(constructor));
        }
        if (VectorEnvironment.class.isAssignableFrom(type)) {
            Constructor<?> constructor = constructor(name, type, int.class);
            return EnvironmentSpec.ofBatches(name, summary, count -> (VectorEnvironment) make(constructor, count));
        }
        throw new IllegalArgumentException("the class " + name + " is no environment: it implements neither "
                + Environment.class.getName() + " nor " + VectorEnvironment.class.getName());
    }

    private static Constructor<?> constructor(String name, Class<?> type, Class<?>... parameters) {
        try {
            if (!Modifier.isAbstract(type.getModifiers())) {
                Constructor<?> constructor = type.getDeclaredConstructor(parameters);
                constructor.setAccessible(true);
                return constructor;
            }
        } catch (NoSuchMethodException e) {
            // Said below, as of a class that nothing can be made of.
        }
        throw new IllegalArgumentException("an environment cannot be made of the class " + name
                + ": it has no constructor "
                + (parameters.length == 0 ? "without parameters" : "that takes the number of environments, an int")
                + "; register it with what makes one, by " + Environments.class.getSimpleName()
                + ".register, in a main or in an " + EnvironmentProvider.class.getSimpleName());
    }

    private static Object make(Constructor<?> constructor, Object... arguments) {
        try {
            return constructor.newInstance(arguments);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof RuntimeException thrown) {
                throw thrown;
            }
            if (e.getCause() instanceof Error thrown) {
                throw thrown;
            }
            throw new IllegalStateException(
                    "the constructor of " + constructor.getDeclaringClass().getName() + " failed", e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(
                    "cannot make a " + constructor.getDeclaringClass().getName(), e);
        }
    }
}
