// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;

/** Notes on an evaluation's mean: the episodes that it does not cover, or not to their end. */
final class EvaluationNotes {
    private EvaluationNotes() {}

    /** Lines, none if all episodes were played to their end. */
    static List<String> of(EvaluationResult result, EvaluationSettings settings) {
        List<String> notes = new ArrayList<>();
        if (result.cut() > 0) {
            notes.add(String.format(
                    Locale.ROOT,
                    "%,d of %,d episodes did not end within %,d steps and count as they stood then"
                            + " (--max-episode-steps)",
                    result.cut(),
                    result.episodes(),
                    settings.maxSteps()));
        }
        if (result.end() == EvaluationResult.End.OUT_OF_TIME) {
            notes.add(String.format(
                    Locale.ROOT,
                    "%,d of %,d episodes ended within %.0f seconds, so short ones are favoured (--final-seconds,"
                            + " --final-episodes)",
                    result.episodes(),
                    result.requested(),
                    settings.maxSeconds()));
        }
        if (result.end() == EvaluationResult.End.STOPPED) {
            notes.add(String.format(
                    Locale.ROOT, "interrupted after %,d of %,d episodes", result.episodes(), result.requested()));
        }
        return notes;
    }
}
