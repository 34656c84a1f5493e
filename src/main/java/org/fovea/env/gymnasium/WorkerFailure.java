// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Serial;
import org.fovea.env.EnvironmentException;
import org.fovea.env.InvalidEnvironmentException;
import org.jspecify.annotations.Nullable;

/** What went wrong in a {@link PythonWorker}. */
final class WorkerFailure extends Exception {
    @Serial
    private static final long serialVersionUID = 1;

    /** Of the worker's environments, which; -1 where that isn't known. */
    final int environment;

    /** What it was doing: make, reset (after a step: next reset), step, after step, close. */
    final String stage;

    private final boolean unusable;

    private WorkerFailure(int environment, String stage, String message, boolean unusable, @Nullable Throwable cause) {
        super(message, cause);
        this.environment = environment;
        this.stage = stage;
        this.unusable = unusable;
    }

    /** That the process is no more. */
    static WorkerFailure ended(int environment, String message) {
        return new WorkerFailure(environment, "step", message, false, null);
    }

    /**
     * From the worker's report.
     *
     * @param timeout seconds that it had
     */
    static WorkerFailure of(JsonNode report, double timeout) {
        int environment = report.path("environment").asInt();
        String stage = report.path("stage").asText("step");
        String traceback = report.path("traceback").asText();
        String message = report.path("message").asText();
        return switch (report.path("kind").asText()) {
            case "unusable" -> new WorkerFailure(environment, stage, message, true, null);
            case "timeout" ->
                new WorkerFailure(
                        environment, stage, noAnswer(timeout), false, new PythonException("stuck", traceback));
            case "raised" -> {
                String method = stage.replaceFirst("^(after|next) ", "");
                yield new WorkerFailure(
                        environment,
                        stage,
                        method + " raised " + message,
                        false,
                        new PythonException(message, traceback));
            }
            default -> new WorkerFailure(environment, stage, message, false, null);
        };
    }

    static String noAnswer(double timeout) {
        return "did not come back within " + timeout + " s (--step-timeout SECONDS)";
    }

    /** The exception that a user is to see. */
    RuntimeException at(String where) {
        String message = where + ": " + getMessage();
        if (unusable) {
            return new InvalidEnvironmentException(message);
        }
        return getCause() == null ? new EnvironmentException(message) : new EnvironmentException(message, getCause());
    }
}
