// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.lang.reflect.Constructor;
import picocli.CommandLine;
import picocli.CommandLine.IFactory;

/** Creates commands with the terminal and interruption that they take. */
record CommandFactory(Terminal terminal, Interruption interruption) implements IFactory {

    @Override
    public <K> K create(Class<K> type) throws Exception {
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            Class<?>[] parameters = constructor.getParameterTypes();
            if (parameters.length == 1 && parameters[0] == Terminal.class) {
                return type.cast(constructor.newInstance(terminal));
            }
            if (parameters.length == 2 && parameters[0] == Terminal.class && parameters[1] == Interruption.class) {
                return type.cast(constructor.newInstance(terminal, interruption));
            }
        }
        return CommandLine.defaultFactory().create(type);
    }
}
