package org.fovea.cli;

import java.lang.reflect.Constructor;
import picocli.CommandLine;
import picocli.CommandLine.IFactory;

/** Makes commands that print to a given terminal and hear of a given interruption. */
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
