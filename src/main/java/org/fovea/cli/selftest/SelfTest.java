// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.selftest;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings.Precision;
import org.fovea.backend.memory.DeviceException;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.Case;
import org.fovea.verify.Pair;
import org.fovea.verify.WrongResultException;

/**
 * Holds a backend to its contract on the device at hand: every operation against the reference's plain float64 loops,
 * repeated runs, updates of PPO against the CPU's, and nothing left allocated.
 */
public final class SelfTest {
    private final Backend backend;
    private final Backend reference;
    private final Precision precision;

    private SelfTest(Backend backend, Backend reference, Precision precision) {
        this.backend = backend;
        this.reference = reference;
        this.precision = precision;
    }

    /**
     * Runs all checks on the calling thread, which must be the one that may use the backend.
     *
     * @param deep with larger shapes and more repeats
     * @param precision of products that the backend was opened with
     * @param only names of the checks to run; all where there are none
     * @param listener told of each result as it comes
     */
    public static List<CheckResult> run(
            Backend backend, boolean deep, Precision precision, List<String> only, Consumer<CheckResult> listener) {
        Map<String, List<Case>> byName = byName(Case.all(deep));
        Map<String, List<Case>> training = byName(TrainingChecks.all(deep));
        if (!only.isEmpty()) {
            byName.keySet().retainAll(only);
            training.keySet().retainAll(only);
        }
        List<CheckResult> results = new ArrayList<>();
        try (Backend reference = new ReferenceBackend()) {
            SelfTest test = new SelfTest(backend, reference, precision);
            byName.forEach((name, cases) -> test.check(name, true, cases, results, listener));
            training.forEach((name, cases) -> test.check(name, false, cases, results, listener));
        }
        return List.copyOf(results);
    }

    /** The names of all checks. */
    public static List<String> names() {
        List<String> names = new ArrayList<>(byName(Case.all(false)).keySet());
        names.addAll(byName(TrainingChecks.all(false)).keySet());
        return names;
    }

    private static Map<String, List<Case>> byName(List<Case> cases) {
        Map<String, List<Case>> byName = new LinkedHashMap<>();
        for (Case each : cases) {
            byName.computeIfAbsent(each.operation(), name -> new ArrayList<>()).add(each);
        }
        return byName;
    }

    private void check(
            String name,
            boolean isOperation,
            List<Case> cases,
            List<CheckResult> results,
            Consumer<CheckResult> listener) {
        long start = System.nanoTime();
        Tally tally = new Tally();
        for (Case each : cases) {
            if (tally.lost) {
                break;
            }
            if (results.stream().anyMatch(CheckResult::lostDevice)) {
                tally.skip("not run: the device was lost before");
                break;
            }
            run(each, tally);
        }
        CheckResult result = tally.result(name, isOperation, (System.nanoTime() - start) * 1e-9);
        results.add(result);
        listener.accept(result);
    }

    /** The outcome of the cases of one check so far. */
    private static final class Tally {
        int passed;
        int failed;
        int skipped;
        double error = Double.NaN;
        double share;
        boolean lost;
        String message = "";

        /** Nothing was compared where the error is NaN. */
        void measure(Pair pair) {
            if (!Double.isNaN(pair.error())) {
                error = Math.max(Double.isNaN(error) ? 0 : error, pair.error());
                share = Math.max(share, pair.share());
            }
        }

        void fail(String why) {
            message = failed++ == 0 ? why : message;
        }

        void skip(String why) {
            message = failed + skipped++ == 0 ? why : message;
        }

        CheckResult result(String name, boolean isOperation, double seconds) {
            CheckResult.Outcome outcome = failed > 0
                    ? CheckResult.Outcome.FAILED
                    : passed > 0 ? CheckResult.Outcome.PASSED : CheckResult.Outcome.SKIPPED;
            String text = failed > 1 ? message + " (and " + (failed - 1) + " more of its cases)" : message;
            return new CheckResult(
                    name, isOperation, outcome, passed, failed, skipped, error, share, seconds, text, lost);
        }
    }

    private void run(Case each, Tally tally) {
        long before = backend.memory().liveBytes();
        try (Pair pair = new Pair(backend, reference, precision)) {
            each.body().accept(pair);
            tally.passed++;
            tally.measure(pair);
        } catch (UnsupportedOnBackendException unsupported) {
            tally.skip(firstLine(unsupported));
        } catch (WrongResultException wrong) {
            tally.fail(firstLine(wrong));
        } catch (RuntimeException | LinkageError failure) {
            // A backend that throws where it should compute has failed, whatever it throws.
            tally.fail(each.name() + ": " + failure.getClass().getSimpleName() + ": " + firstLine(failure));
        }
        tally.lost = isLost();
        if (!tally.lost && tally.failed == 0 && backend.memory().liveBytes() != before) {
            tally.passed--;
            tally.fail(each.name() + ": memory in use went from " + before + " to "
                    + backend.memory().liveBytes() + " bytes, expected as much as before");
        }
    }

    private boolean isLost() {
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
