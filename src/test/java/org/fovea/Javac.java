// SPDX-License-Identifier: Apache-2.0
package org.fovea;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;

/** The compiler, for sources that a test has from a document. */
public final class Javac {
    private Javac() {}

    /** Compiles against the tests' class path, and what is in {@code classes} already; fails with the compiler's messages. */
    public static void compile(Path classes, Path... sources) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter messages = new StringWriter();
        String path = classes + ":" + System.getProperty("java.class.path");
        boolean compiled = compiler.getTask(
                        messages,
                        null,
                        null,
                        List.of("-d", classes.toString(), "-cp", path, "-proc:none"),
                        null,
                        compiler.getStandardFileManager(null, null, null).getJavaFileObjects(sources))
                .call();
        assertThat(compiled).as(messages.toString()).isTrue();
    }
}
