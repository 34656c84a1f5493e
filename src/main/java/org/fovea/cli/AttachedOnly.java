package org.fovea.cli;

import java.util.Map;
import java.util.Stack;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * For an option whose value may be left out: only what follows an equals sign is its value, not the next argument, which
 * may be the name of a file.
 */
final class AttachedOnly implements IParameterPreprocessor {

    @Override
    public boolean preprocess(Stack<String> arguments, CommandSpec command, ArgSpec option, Map<String, Object> info) {
        boolean isAttached = !" ".equals(info.get("separator"));
        if (!isAttached && option instanceof OptionSpec optional) {
            option.setValue(optional.fallbackValue());
        }
        return !isAttached;
    }
}
