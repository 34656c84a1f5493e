package org.fovea.cli.selftest;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.DeviceException;
import org.fovea.backend.UnsupportedOnBackendException;

/**
 * Holds a backend to its contract on the device at hand: every operation against plain float64 loops, updates of PPO against
 * the CPU's, and nothing left allocated.
 */
public final class SelfTest {
    private SelfTest() {}

    /**
     * Runs all checks on the calling thread, which must be the one that may use the backend.
     *
     * @param deep with larger shapes and more repeats
     * @param tf32 whether the backend was opened to round factors of products to TF32
     * @param listener told of each result as it comes
     */
    public static List<CheckResult> run(Backend backend, boolean deep, boolean tf32, Consumer<CheckResult> listener) {
        List<Check> checks = Stream.of(
                        PrimitiveChecks.all(),
                        MatrixChecks.all(),
                        RowChecks.all(),
                        AttentionChecks.all(),
                        LearningChecks.all(),
                        TrainingChecks.all())
                .flatMap(List::stream)
                .toList();
        List<CheckResult> results = new ArrayList<>();
        String lost = "";
        for (Check check : checks) {
            CheckResult result = lost.isEmpty()
                    ? run(check, backend, deep, tf32)
                    : new CheckResult(check.name(), CheckResult.Outcome.SKIPPED, Double.NaN, 0, 0, lost);
            lost = lost.isEmpty() && isLost(backend) ? "not run: the device was lost by '" + check.name() + "'" : lost;
            results.add(result);
            listener.accept(result);
        }
        return List.copyOf(results);
    }

    private static CheckResult run(Check check, Backend backend, boolean deep, boolean tf32) {
        long start = System.nanoTime();
        long before = backend.liveBytes();
        double error = Double.NaN;
        double share = 0;
        CheckResult.Outcome outcome = CheckResult.Outcome.PASSED;
        String message = "";
        try (Trial trial = new Trial(backend, deep, tf32)) {
            try {
                check.body().run(trial);
            } finally {
                error = trial.error();
                share = trial.share();
            }
        } catch (UnsupportedOnBackendException unsupported) {
            outcome = CheckResult.Outcome.SKIPPED;
            message = firstLine(unsupported);
        } catch (WrongResultException wrong) {
            outcome = CheckResult.Outcome.FAILED;
            message = firstLine(wrong);
        } catch (RuntimeException | LinkageError failure) {
            // A backend that throws where it should compute has failed the check, whatever it throws.
            outcome = CheckResult.Outcome.FAILED;
            message = failure.getClass().getSimpleName() + ": " + firstLine(failure);
        }
        if (outcome == CheckResult.Outcome.PASSED && backend.liveBytes() != before) {
            outcome = CheckResult.Outcome.FAILED;
            message = "memory in use went from " + before + " to " + backend.liveBytes()
                    + " bytes, expected as much as before";
        }
        return new CheckResult(check.name(), outcome, error, share, (System.nanoTime() - start) * 1e-9, message);
    }

    private static boolean isLost(Backend backend) {
        try {
            backend.synchronize();
            return false;
        } catch (DeviceException lost) {
            return true;
        }
    }

    private static String firstLine(Throwable failure) {
        return String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
    }
}
