// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;
import org.opentest4j.TestAbortedException;

/** Counts a test as skipped, with the operation's name, where the backend says that it does not have it yet. */
final class SkipUnsupported implements TestExecutionExceptionHandler {

    @Override
    public void handleTestExecutionException(ExtensionContext context, Throwable thrown) throws Throwable {
        if (thrown instanceof UnsupportedOnBackendException) {
            throw new TestAbortedException(thrown.getMessage(), thrown);
        }
        throw thrown;
    }
}
