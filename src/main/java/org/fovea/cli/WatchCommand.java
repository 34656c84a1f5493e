// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.cli.EpisodeOptions.Recorded;
import org.fovea.rl.evaluation.AttentionMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Shows an episode step by step. */
@Command(
        name = "watch",
        abbreviateSynopsis = true,
        header =
                "Watch an episode of a trained policy in the terminal: the environment, what was done, and what it attended to.",
        description = {
            "%nIn a terminal: space plays and pauses, the right and left arrows (or n and p) step, home and end go to the ends, l and h"
                    + " choose layer and head, + and - the pace, q quits. Elsewhere every step is printed, one after the other.%n"
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea watch runs/mine",
            "  fovea watch runs/mine --episode 7 --delay 1",
            "  fovea watch runs/mine | less"
        })
final class WatchCommand extends BackendCommand {
    private static final double USUAL_DELAY = 0.4;

    private final Interruption interruption;

    @Mixin
    private EpisodeOptions episode = new EpisodeOptions();

    @Option(
            names = "--delay",
            paramLabel = "SECONDS",
            description =
                    "Play on from step to step after so long (default: 0.4 in a terminal, where keys stop it; else 0).")
    private @Nullable Double delay;

    WatchCommand(Terminal terminal, Interruption interruption) {
        super(terminal);
        this.interruption = interruption;
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        if (delay != null && !(delay >= 0 && delay <= 3600)) {
            throw new UsageException("--delay must be from 0 to 3600 seconds, got " + delay);
        }
        episode.apply();
        Recorded recorded;
        try (Backend backend = open(backendSettings)) {
            recorded = episode.record(backend, terminal);
        }
        List<AttentionMap> layers = episode.layers(recorded.episode());
        if (layers.isEmpty() && !recorded.episode().attention().isEmpty()) {
            throw episode.noSuchLayer(recorded.episode());
        }
        EpisodeText text = new EpisodeText(recorded, layers, terminal.width());
        if (terminal.isScreen()) {
            try (Keys keys = Keys.open()) {
                new EpisodePlayer(terminal, text, layers, keys, delay == null ? USUAL_DELAY : delay, interruption)
                        .play(episode.head);
            }
            return interruption.requested() ? TrainCommand.INTERRUPTED : 0;
        }
        return interruption.during("watching", () -> "Nothing was changed", () -> {
            for (int step = 0; step < recorded.steps() && !interruption.requested(); step++) {
                text.frame(step, episode.head, -1).forEach(terminal.out()::println);
                terminal.out().println();
                pause(delay == null ? 0 : delay);
            }
            text.end().forEach(terminal.out()::println);
            return interruption.requested() ? TrainCommand.INTERRUPTED : 0;
        });
    }

    static void pause(double seconds) {
        try {
            Thread.sleep((long) (seconds * 1000));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
