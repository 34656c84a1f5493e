// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/**
 * Signals of the operating system. Java has them in {@code sun.misc.Signal} only, of the supported module
 * {@code jdk.unsupported}; the compiler warns of any use that it can see.
 */
final class Signals {
    private Signals() {}

    /**
     * Calls {@code handler}, on a thread of its own, whenever the signal comes, in place of what the virtual machine does.
     * A signal that this process was started to ignore stays ignored, and one that cannot be handled, as with {@code java
     * -Xrs}, does what it did.
     */
    static void handle(String name, Runnable handler) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> signalHandler = Class.forName("sun.misc.SignalHandler");
            Object calling = Proxy.newProxyInstance(
                    Signals.class.getClassLoader(), new Class<?>[] {signalHandler}, (proxy, method, arguments) -> {
                        if (method.getName().equals("handle")) {
                            handler.run();
                            return null;
                        }
                        return switch (method.getName()) {
                            case "equals" -> proxy == arguments[0];
                            case "hashCode" -> System.identityHashCode(proxy);
                            default -> name;
                        };
                    });
            signal.getMethod("handle", signal, signalHandler)
                    .invoke(null, signal.getConstructor(String.class).newInstance(name), calling);
        } catch (InvocationTargetException unavailable) {
            if (!(unavailable.getCause() instanceof IllegalArgumentException)) {
                throw new IllegalStateException("cannot handle the signal " + name, unavailable);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot handle the signal " + name, e);
        }
    }
}
