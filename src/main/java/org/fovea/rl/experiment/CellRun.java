// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.fovea.backend.Backend;
import org.fovea.io.Checkpoint;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.TrainResult;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.run.TrainingOptions;
import org.jspecify.annotations.Nullable;

/** Trains a cell, from where its run is, and evaluates what it has learned. */
final class CellRun {
    /** Seconds that earlier processes took, in the run's directory. */
    private static final String SECONDS = "seconds";

    private final Cell cell;
    private final Path runDirectory;
    private final int episodes;
    private final Provenance provenance;

    CellRun(Cell cell, Path runDirectory, int episodes, Provenance provenance) {
        this.cell = cell;
        this.runDirectory = runDirectory;
        this.episodes = episodes;
        this.provenance = provenance;
    }

    /** Returns the result, or null if it was stopped before that: it can go on then. */
    @Nullable
    CellResult play(
            Backend backend, PlaySettings play, LongConsumer started, Progress.Listener listener, BooleanSupplier stop)
            throws IOException {
        long start = System.nanoTime();
        boolean isBegun = Checkpoint.latest(runDirectory).isPresent();
        double before = isBegun && Files.exists(runDirectory.resolve(SECONDS))
                ? Double.parseDouble(Files.readString(runDirectory.resolve(SECONDS)))
                : 0;
        try (Trainer trainer =
                isBegun ? resume(backend, play) : Trainer.start(backend, cell.spec(), runDirectory, play)) {
            started.accept(isBegun ? SavedRun.load(runDirectory).steps() : 0);
            EvaluationSettings evaluation = EvaluationSettings.of(episodes, EvaluationSettings.DEFAULT_SEED);
            TrainResult result = trainer.run(TrainingOptions.DEFAULT.withFinalEvaluation(evaluation), listener, stop);
            double seconds = before + (System.nanoTime() - start) * 1e-9;
            if (result.training().end().isEarly()
                    || !isComplete(result.evaluation())
                    || !isComplete(result.sampled())) {
                Experiment.write(runDirectory.resolve(SECONDS), Double.toString(seconds));
                return null;
            }
            return CellResult.of(cell, result, seconds, Curve.of(runDirectory), provenance);
        }
    }

    private Trainer resume(Backend backend, PlaySettings play) throws IOException {
        return Trainer.resume(backend, cell.spec(), SavedRun.load(runDirectory), runDirectory, play);
    }

    private static boolean isComplete(EvaluationResult result) {
        return result.end() == EvaluationResult.End.COMPLETE;
    }
}
