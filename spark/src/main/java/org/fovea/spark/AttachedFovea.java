// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;

/**
 * The {@code fovea} command, in a process that ends when its standard input does: when the executor that started it is gone, killed for
 * instance, nobody is left to end it.
 */
final class AttachedFovea {
    private static final int LEFT_ALONE = 1;

    private AttachedFovea() {}

    /** Runs a command of {@code fovea}. */
    public static void main(String... args) throws ReflectiveOperationException {
        Thread watcher = new Thread(AttachedFovea::watch, "watch over the executor");
        watcher.setDaemon(true);
        watcher.start();
        try {
            // This class is in the executors too, where there may be no Fovea.
            Class.forName("org.fovea.cli.Fovea")
                    .getMethod("main", String[].class)
                    .invoke(null, (Object) args);
        } catch (InvocationTargetException e) {
            throw new IllegalStateException(e.getCause());
        }
    }

    private static void watch() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is expected to be said.
                Thread.onSpinWait();
            }
        } catch (IOException e) {
            // As at the end.
        }
        System.err.println("fovea: the process that started this one is gone");
        Runtime.getRuntime().halt(LEFT_ALONE);
    }
}
