// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Map;
import java.util.Optional;
import org.fovea.collective.RankSettings;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options about training by several processes, and what the environment says of them. */
final class RankOptions {
    /** Groups of a run that several processes may go on with. */
    private static final int USUAL_GROUPS = 4;

    private static final String NCCL = "nccl";

    @Option(
            names = "--ranks",
            paramLabel = "N",
            description =
                    "Train by N processes on this machine, a power of two: one for each GPU, or sharing the cores. Any N gives the"
                            + " same policy, bit for bit on a CPU. For several machines see docs/distributed.md.")
    private @Nullable Integer ranks;

    @Option(
            names = "--groups",
            paramLabel = "G",
            description =
                    "With --ranks, groups that the environments are in, whose gradients are added: a power of two, and at"
                            + " most so many processes can train the run (default: 4, or N if that is more).")
    private @Nullable Integer groups;

    /** Where this process stands among those of a run, by the environment; empty if it is none of several. */
    static Optional<RankSettings> settings(Map<String, String> environment) {
        return UsageException.ifIllegal(() -> RankSettings.of(environment));
    }

    /** How many processes this one should start, 0 if it should train itself. */
    int toLaunch(Optional<RankSettings> settings) {
        if (ranks != null && (ranks < 1 || Integer.bitCount(ranks) != 1)) {
            throw new UsageException("--ranks must be a power of two, got " + ranks);
        }
        if (groups != null && (groups < 1 || Integer.bitCount(groups) != 1)) {
            throw new UsageException("--groups must be a power of two, got " + groups);
        }
        if (ranks == null || ranks == 1) {
            return 0;
        }
        if (settings.isPresent() && settings.get().size() != ranks) {
            throw new UsageException("--ranks is " + ranks + ", but this process was started as one of "
                    + settings.get().size() + " (" + RankSettings.WORLD_SIZE
                    + "): leave --ranks out where something else"
                    + " starts the processes");
        }
        return settings.isPresent() ? 0 : ranks;
    }

    /** Groups of a new run, 1 if nothing was said of processes. */
    int groups(Optional<RankSettings> settings) {
        int size = settings.map(RankSettings::size).orElse(1);
        if (groups == null) {
            boolean isAlone = ranks == null && settings.isEmpty();
            boolean onePerRank =
                    settings.map(known -> known.collective().equals(NCCL)).orElse(false);
            return isAlone ? 1 : onePerRank ? size : Math.max(USUAL_GROUPS, size);
        }
        requireRanks(groups, size);
        return groups;
    }

    /** Groups of a run that goes on, which are as they were. */
    int groups(Optional<RankSettings> settings, int saved) {
        if (groups != null && groups != saved) {
            throw new UsageException("a resumed run cannot change --groups: its environments are in " + saved
                    + (saved == 1 ? " group" : " groups") + ", not " + groups);
        }
        requireRanks(saved, settings.map(RankSettings::size).orElse(1));
        return saved;
    }

    private static void requireRanks(int groups, int size) {
        if (size > groups) {
            throw new UsageException("the run's environments are in " + groups + (groups == 1 ? " group" : " groups")
                    + ", so that no more ranks can train it, got " + size
                    + (groups == 1 ? "; only a run that was started with --ranks can go on with several" : ""));
        }
    }
}
