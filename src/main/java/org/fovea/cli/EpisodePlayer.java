// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.fovea.rl.evaluation.AttentionMap;
import org.jspecify.annotations.Nullable;

/** Plays an episode on a terminal's screen, by keys or by itself. */
final class EpisodePlayer {
    private static final String CLEAR = "\033[H\033[J";
    private static final double SECONDS_BETWEEN_LOOKS = 0.02;
    private static final String HELP =
            "space play or pause   arrows or n p step   home end   l layer   h head   + - pace   q quit";

    private final Terminal terminal;
    private final EpisodeText text;
    private final List<AttentionMap> layers;
    private final Keys keys;
    private final Interruption interruption;
    private double delay;
    private int step;
    private int layer = -1;
    private @Nullable Integer head;
    private boolean plays = true;

    EpisodePlayer(
            Terminal terminal,
            EpisodeText text,
            List<AttentionMap> layers,
            Keys keys,
            double delay,
            Interruption interruption) {
        this.terminal = terminal;
        this.text = text;
        this.layers = layers;
        this.keys = keys;
        this.delay = delay;
        this.interruption = interruption;
    }

    /** Plays to the end, or where there are keys until one says so. */
    void play(@Nullable Integer firstHead) throws IOException {
        head = firstHead;
        interruption.during("watching", () -> "Nothing was changed", () -> {
            boolean goesOn = true;
            while (goesOn && !interruption.requested()) {
                draw();
                goesOn = await();
            }
            return 0;
        });
    }

    private void draw() {
        List<String> lines = new ArrayList<>(text.frame(step, head, layer));
        if (step == text.steps() - 1) {
            lines.addAll(text.end());
        }
        if (keys.areThere()) {
            lines.add("");
            lines.add((plays ? "playing   " : "paused   ") + HELP);
        }
        terminal.out().print(CLEAR + String.join(System.lineSeparator(), lines) + System.lineSeparator());
        terminal.out().flush();
    }

    /** Waits for a key, or for the next step; returns whether there is more to show. */
    private boolean await() throws IOException {
        double waited = 0;
        while (!interruption.requested()) {
            Keys.Key key = keys.next();
            if (key != Keys.Key.NONE) {
                return apply(key);
            }
            if (plays && waited >= delay) {
                if (step < text.steps() - 1) {
                    step++;
                    return true;
                }
                plays = false;
                return keys.areThere();
            }
            WatchCommand.pause(SECONDS_BETWEEN_LOOKS);
            waited += SECONDS_BETWEEN_LOOKS;
        }
        return false;
    }

    /** Does what a key says; returns whether there is more to show. */
    boolean apply(Keys.Key key) {
        int last = text.steps() - 1;
        switch (key) {
            case PLAY -> {
                plays = !plays;
                step = plays && step == last ? 0 : step;
            }
            case NEXT -> step = Math.min(last, step + 1);
            case PREVIOUS -> step = Math.max(0, step - 1);
            case FIRST -> step = 0;
            case LAST -> step = last;
            case LAYER -> layer = layer + 1 >= layers.size() ? -1 : layer + 1;
            case HEAD -> {
                int heads = layers.stream().mapToInt(AttentionMap::heads).max().orElse(0);
                int next = head == null ? 0 : head + 1;
                head = next >= heads ? null : next;
            }
            case FASTER -> delay /= 1.5;
            case SLOWER -> delay = Math.max(SECONDS_BETWEEN_LOOKS, delay * 1.5);
            case NONE, QUIT -> {
                // Nothing is drawn otherwise.
            }
        }
        if (key == Keys.Key.NEXT || key == Keys.Key.PREVIOUS || key == Keys.Key.FIRST || key == Keys.Key.LAST) {
            plays = false;
        }
        return key != Keys.Key.QUIT;
    }
}
