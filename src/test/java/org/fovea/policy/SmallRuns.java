// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.EvaluationPlan;
import org.fovea.rl.run.NearestEntity;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.run.TrainingOptions;
import org.jspecify.annotations.Nullable;

/** Policies that were trained for a moment: normalisers have moments, and parameters are no longer the first. */
final class SmallRuns {
    private SmallRuns() {}

    /** @param settings hyper-parameters, {@code name=value} with spaces between them; or null */
    static Path train(Path directory, String environment, PolicyKind kind, @Nullable String settings)
            throws IOException {
        NearestEntity.register();
        Map<String, String> hyperparameters = new LinkedHashMap<>();
        for (String setting : settings == null ? new String[0] : settings.split(" ")) {
            hyperparameters.put(setting.split("=")[0], setting.split("=")[1]);
        }
        RunSpec spec = Runs.small(environment, kind, 2, hyperparameters).withEnvironments(4);
        RunSpec short_ = spec.withSteps(2 * spec.stepsPerIteration());
        EvaluationSettings none = new EvaluationSettings(0, 1, 10, 1);
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, short_, directory)) {
            TrainingOptions options =
                    new TrainingOptions(none, EvaluationPlan.NONE, Double.POSITIVE_INFINITY, Map.of());
            trainer.run(options, Progress.Listener.NONE, () -> false);
        }
        return directory;
    }

    static Path export(Path run, Path file) throws IOException {
        SavedRun.policy(run, false).write(file);
        return file;
    }
}
