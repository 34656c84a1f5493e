// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fovea.backend.Backend;
import org.fovea.collective.Collective;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.Trainer;
import org.jspecify.annotations.Nullable;

/**
 * Settings that a run goes on with once it has taken so many steps, as if it had been resumed with them there.
 *
 * @param inOrder of their steps
 */
record PlannedChanges(List<Change> inOrder) {
    private static final Pattern CHANGE = Pattern.compile("(\\d{1,18}):([a-z_]+)=(.+)");
    private static final String STEPS = "steps";

    /**
     * Settings from some step on.
     *
     * @param steps that the run has taken before
     * @param total that it has to take, null if that stays
     * @param hyperparameters by name
     */
    record Change(long steps, @Nullable Long total, Map<String, String> hyperparameters) {}

    /**
     * Those that were asked for.
     *
     * @param texts {@code STEPS:KEY=VALUE}
     * @param spec of the run until then
     * @param taken steps that it has taken already
     * @throws UsageException if one can't be made
     */
    static PlannedChanges of(List<String> texts, RunSpec spec, long taken) {
        Map<Long, Map<String, String>> bySteps = new TreeMap<>();
        for (String text : texts) {
            Matcher matcher = CHANGE.matcher(text);
            if (!matcher.matches()) {
                throw new UsageException(
                        "--change takes STEPS:KEY=VALUE, as in 20480:learning_rate=1e-4, got '" + text + "'");
            }
            long steps = Long.parseLong(matcher.group(1));
            if (steps % spec.stepsPerIteration() != 0 || steps == 0) {
                throw new UsageException("--change " + text + ": changes are made between rollouts, which are of "
                        + spec.stepsPerIteration() + " steps in this run; expected a multiple of that");
            }
            if (steps < taken) {
                throw new UsageException("--change " + text + ": the run has already taken " + taken + " steps");
            }
            bySteps.computeIfAbsent(steps, unused -> new LinkedHashMap<>()).put(matcher.group(2), matcher.group(3));
        }
        List<Change> changes = bySteps.entrySet().stream()
                .map(entry -> change(entry.getKey(), entry.getValue()))
                .toList();
        requireReached(changes, spec);
        return new PlannedChanges(changes);
    }

    private static Change change(long steps, Map<String, String> settings) {
        String total = settings.remove(STEPS);
        if (total != null && !total.matches("\\d{1,18}")) {
            throw new UsageException("--change " + steps + ":steps=" + total + ": steps must be a whole number");
        }
        return new Change(steps, total == null ? null : Long.valueOf(total), settings);
    }

    /** Tries them all before anything is begun. */
    private static void requireReached(List<Change> changes, RunSpec spec) {
        RunSpec now = spec;
        for (Change change : changes) {
            long end = now.iterations() * now.stepsPerIteration();
            if (change.steps > end) {
                throw new UsageException("--change at step " + change.steps + ": the run ends at step " + end);
            }
            RunSpec before = now;
            now = UsageException.ifIllegal(() -> before.with(change.hyperparameters)
                    .withSteps(change.total == null ? before.steps() : change.total));
        }
    }

    /** Goes on with a run that has taken the steps of a change, as all of its members do. */
    Trainer resume(Backend backend, Path directory, Change change, PlaySettings play, Collective collective)
            throws IOException {
        // The first member has written it by now, and none of them goes on before all have read it.
        collective.barrier();
        SavedRun saved = SavedRun.load(directory);
        collective.barrier();
        return Trainer.resume(
                backend, saved.specWith(change.total, change.hyperparameters), saved, directory, play, collective);
    }
}
