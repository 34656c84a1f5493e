// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import org.jspecify.annotations.Nullable;

/** By which command this process starts Python. */
public final class PythonCommand {
    private static volatile @Nullable String replacement;

    private PythonCommand() {}

    /**
     * Replaces what environments' names say, as where a run goes on on another machine.
     *
     * @param command null for what the names say
     */
    public static void replace(@Nullable String command) {
        replacement = command;
    }

    static String of(GymnasiumName name) {
        String command = replacement == null ? name.python() : replacement;
        return command == null ? GymnasiumName.DEFAULT_PYTHON : command;
    }
}
