// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.File;
import java.util.Map;
import java.util.Optional;
import java.util.Stack;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/**
 * For an option whose value may be left out: only what follows an equals sign is its value, not the next argument, which
 * may be the name of a file. Where that is a value's name, and no file's, a message says so.
 */
abstract class AttachedOnly implements IParameterPreprocessor {
    private final Vocabulary<?> vocabulary;

    private AttachedOnly(Vocabulary<?> vocabulary) {
        this.vocabulary = vocabulary;
    }

    /** A corner of the score matrix. */
    static final class Corner extends AttachedOnly {
        Corner() {
            super(Vocabulary.CORNERS);
        }
    }

    /** A stage of the scores. */
    static final class Stage extends AttachedOnly {
        Stage() {
            super(Vocabulary.STAGES);
        }
    }

    @Override
    public boolean preprocess(Stack<String> arguments, CommandSpec command, ArgSpec option, Map<String, Object> info) {
        boolean isAttached = !" ".equals(info.get("separator"));
        if (!isAttached && option instanceof OptionSpec optional) {
            if (!arguments.isEmpty()) {
                requireNoValue(arguments.peek(), command, optional);
            }
            option.setValue(optional.fallbackValue());
        }
        return !isAttached;
    }

    private void requireNoValue(String next, CommandSpec command, OptionSpec option) {
        Optional<String> meant = vocabulary.meant(next);
        if (meant.isPresent() && !new File(next).exists()) {
            String name = option.longestName();
            throw new ParameterException(
                    command.commandLine(),
                    name + " takes its value after an equals sign: " + name + "=" + meant.get() + ", not " + name + " "
                            + next);
        }
    }
}
