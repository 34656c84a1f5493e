// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.atomic.AtomicReference;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.collective.Collective;
import org.fovea.collective.CollectiveException;
import org.fovea.collective.CollectiveProvider;
import org.fovea.collective.MemberGroup;
import org.fovea.collective.Patience;
import org.fovea.collective.RankSettings;
import org.fovea.collective.SocketRanks;
import org.jspecify.annotations.Nullable;

/** Trains the groups of a run that are this process's: each on a thread and a device context of its own, all in step with each other. */
final class GroupTraining {
    private final Optional<RankSettings> settings;
    private final int groups;
    private final Terminal terminal;

    /**
     * @param settings where this process stands; empty where it is the only one
     * @param groups of the run, a multiple of the processes
     */
    GroupTraining(Optional<RankSettings> settings, int groups, Terminal terminal) {
        this.settings = settings;
        this.groups = groups;
        this.terminal = terminal;
    }

    /** Opens a device. */
    interface Device {
        Backend open(BackendOptions.Share share);
    }

    /** Trains a group. */
    interface Member {
        /** Does it, and returns an exit code. */
        int train(Backend backend, Collective collective) throws IOException;
    }

    private int size() {
        return settings.map(RankSettings::size).orElse(1);
    }

    /** Groups of this process. */
    private int count() {
        return groups / size();
    }

    /**
     * Threads for each group where no number is given: the cores of a machine are shared by the ranks on it, of which all are counted.
     */
    private int threadsPerGroup(int ranksHere) {
        return Math.max(1, Runtime.getRuntime().availableProcessors() / ranksHere / count());
    }

    /**
     * Trains all of them.
     *
     * @param agreed what all ranks must have alike, by a name for messages
     * @param ranksHere ranks that share this machine's cores
     * @return the exit code of the first
     */
    int run(Map<String, String> agreed, int ranksHere, Device device, Member member) throws IOException {
        SocketRanks ranks = size() == 1 ? null : SocketRanks.connect(settings.orElseThrow(), agreed, Patience.DEFAULT);
        try (MemberGroup group = new MemberGroup(ranks, count())) {
            int number = settings.map(RankSettings::localRank).orElse(0);
            return run(group, new BackendOptions.Share(threadsPerGroup(ranksHere), count(), number), device, member);
        }
    }

    private int run(MemberGroup group, BackendOptions.Share share, Device device, Member member) throws IOException {
        AtomicReference<@Nullable Throwable> cause = new AtomicReference<>();
        List<Thread> others = new ArrayList<>();
        int[] codes = new int[count()];
        for (int i = 1; i < count(); i++) {
            int index = i;
            Thread thread = new Thread(
                    () -> codes[index] = train(group, index, share, device, member, cause), "group " + index);
            thread.start();
            others.add(thread);
        }
        codes[0] = train(group, 0, share, device, member, cause);
        for (Thread thread : others) {
            join(thread);
        }
        Throwable failure = cause.get();
        if (failure instanceof IOException e) {
            throw e;
        }
        if (failure instanceof Error e) {
            throw e;
        }
        if (failure instanceof RuntimeException e) {
            throw e;
        }
        return codes[0];
    }

    private int train(
            MemberGroup group,
            int index,
            BackendOptions.Share share,
            Device device,
            Member member,
            AtomicReference<@Nullable Throwable> cause) {
        try (Backend backend = device.open(share);
                Collective collective = collective(backend, group.member(index, backend))) {
            return member.train(backend, collective);
        } catch (Throwable e) {
            // The first is what others fail of.
            cause.compareAndSet(null, e);
            if (!(e instanceof CollectiveException)) {
                group.fail("rank " + settings.map(RankSettings::rank).orElse(0) + " failed: " + e.getMessage());
            }
            return Failures.FAILED;
        }
    }

    /** By the way between devices that is asked for, or that suits. */
    private Collective collective(Backend backend, Collective host) {
        String name = settings.map(RankSettings::collective).orElse(RankSettings.SOCKETS);
        if (name.equals(RankSettings.SOCKETS)) {
            return host;
        }
        List<String> names = new ArrayList<>(List.of(RankSettings.AUTO, RankSettings.SOCKETS));
        for (CollectiveProvider provider : ServiceLoader.load(CollectiveProvider.class)) {
            names.add(provider.name());
            if (name.equals(provider.name())) {
                if (count() > 1) {
                    throw new UsageException(name + " joins devices, one group on each: with " + size()
                            + " ranks it takes --groups " + size() + ", not " + groups);
                }
                return provider.open(backend, settings.orElseThrow(), host);
            }
            if (name.equals(RankSettings.AUTO) && count() == 1 && provider.suits(backend)) {
                try {
                    return provider.open(backend, settings.orElseThrow(), host);
                } catch (BackendUnavailableException e) {
                    terminal.notices().println("gradients go by sockets: " + e.getMessage());
                    return host;
                }
            }
        }
        if (name.equals(RankSettings.AUTO)) {
            return host;
        }
        throw new UsageException(
                RankSettings.COLLECTIVE + " must be one of " + String.join(", ", names) + ", got " + name);
    }

    private static void join(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
