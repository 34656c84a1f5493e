// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.IntStream;
import org.fovea.collective.Collective;
import org.fovea.rl.evaluation.EvaluationResult.End;
import org.fovea.rl.rollout.StopSignal;

/** Episodes of an evaluation, those played and those to be played, and whether to go on; shared by all who play. */
final class EpisodeTable {
    private static final int NOT_PLAYED = -1;

    private final EvaluationSettings settings;
    private final int environments;
    private final Evaluation.Listener listener;
    private final StopSignal stop;
    private final long startNanos = System.nanoTime();
    private final double[] returns;
    private final int[] lengths;
    private final AtomicInteger ended = new AtomicInteger();
    private final AtomicInteger cut = new AtomicInteger();
    private final LongAdder steps = new LongAdder();

    /** Why no more is played than was; complete while nothing else is known. */
    private volatile End end = End.COMPLETE;

    EpisodeTable(EvaluationSettings settings, int environments, Evaluation.Listener listener, StopSignal stop) {
        this.settings = settings;
        this.environments = environments;
        this.listener = listener;
        this.stop = stop;
        this.returns = new double[settings.episodes()];
        this.lengths = new int[settings.episodes()];
        Arrays.fill(lengths, NOT_PLAYED);
    }

    EvaluationSettings settings() {
        return settings;
    }

    /** Environments that play; those of a higher index have nothing to do. */
    int environments() {
        return environments;
    }

    /** Whether to play on; asked before each step. */
    boolean goesOn(int stepsPlayed) {
        steps.add(stepsPlayed);
        if (end == End.COMPLETE) {
            if (stop.requested()) {
                end = End.STOPPED;
            } else if ((System.nanoTime() - startNanos) * 1e-9 > settings.maxSeconds()) {
                end = End.OUT_OF_TIME;
            }
        }
        listener.evaluating(ended.get(), settings.episodes(), steps.sum());
        return end == End.COMPLETE && !stop.failed();
    }

    /** @param wasCut whether the episode would have gone on */
    void ended(int episode, double episodeReturn, int length, boolean wasCut) {
        returns[episode] = episodeReturn;
        lengths[episode] = length;
        ended.incrementAndGet();
        if (wasCut) {
            cut.incrementAndGet();
        }
    }

    /** Takes in the episodes that other members have played. */
    void exchange(Collective collective) {
        if (collective.size() == 1) {
            return;
        }
        double[] own = new double[2 + 2 * returns.length];
        own[0] = end.ordinal();
        own[1] = cut.get();
        for (int i = 0; i < returns.length; i++) {
            own[2 + 2 * i] = returns[i];
            own[3 + 2 * i] = lengths[i];
        }
        int cutOfAll = 0;
        end = End.COMPLETE;
        for (double[] ofMember : collective.gather(own)) {
            if (end == End.COMPLETE) {
                end = End.values()[(int) ofMember[0]];
            }
            cutOfAll += (int) ofMember[1];
            for (int i = 0; i < returns.length; i++) {
                if (ofMember[3 + 2 * i] != NOT_PLAYED) {
                    returns[i] = ofMember[2 + 2 * i];
                    lengths[i] = (int) ofMember[3 + 2 * i];
                }
            }
        }
        cut.set(cutOfAll);
    }

    EvaluationResult summarize() {
        int[] played = IntStream.range(0, returns.length)
                .filter(episode -> lengths[episode] != NOT_PLAYED)
                .toArray();
        if (played.length == 0) {
            return EvaluationResult.none(settings.episodes(), end);
        }
        double[] counted =
                Arrays.stream(played).mapToDouble(episode -> returns[episode]).toArray();
        double mean = Arrays.stream(counted).average().orElseThrow();
        double variance = Arrays.stream(counted)
                .map(value -> (value - mean) * (value - mean))
                .average()
                .orElseThrow();
        long countedSteps =
                Arrays.stream(played).mapToLong(episode -> lengths[episode]).sum();
        return new EvaluationResult(
                played.length,
                settings.episodes(),
                cut.get(),
                end,
                mean,
                Math.sqrt(variance),
                Arrays.stream(counted).min().orElseThrow(),
                Arrays.stream(counted).max().orElseThrow(),
                (double) countedSteps / played.length,
                countedSteps);
    }
}
