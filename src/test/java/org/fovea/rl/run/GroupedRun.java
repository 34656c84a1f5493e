// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.fovea.backend.Backend;
import org.fovea.collective.Collective;
import org.fovea.collective.MemberGroup;
import org.fovea.collective.Patience;
import org.fovea.collective.RankSettings;
import org.fovea.collective.SocketRanks;
import org.fovea.rl.rollout.PlaySettings;
import org.jspecify.annotations.Nullable;

/** Runs whose environments are in groups, trained by ranks that are threads of a test, joined by sockets as processes are. */
final class GroupedRun {
    private GroupedRun() {}

    /** What a member does with its trainer. */
    interface Work {
        void run(Trainer trainer, Collective collective) throws IOException;
    }

    private interface Start {
        Trainer start(Backend backend, Collective collective) throws IOException;
    }

    /** Starts a run and trains it to its end. */
    static void train(int ranks, RunSpec spec, Path directory, TrainingOptions options) {
        train(ranks, spec, directory, options, () -> Runs.cpu(1));
    }

    /** The same on another kind of device, one for each member. */
    static void train(int ranks, RunSpec spec, Path directory, TrainingOptions options, Supplier<Backend> device) {
        forAll(
                device,
                ranks,
                spec.groups(),
                (backend, collective) ->
                        Trainer.start(backend, spec, directory, PlaySettings.DEFAULT, null, collective),
                (trainer, collective) -> trainer.run(options, progress -> {}, () -> false));
    }

    /** Goes on with a run to its end. */
    static void resume(int ranks, Path directory, long steps, TrainingOptions options) throws IOException {
        SavedRun saved = SavedRun.load(directory);
        RunSpec spec = saved.specWith(steps, Map.of());
        forAll(
                () -> Runs.cpu(1),
                ranks,
                spec.groups(),
                (backend, collective) ->
                        Trainer.resume(backend, spec, saved, directory, PlaySettings.DEFAULT, collective),
                (trainer, collective) -> trainer.run(options, progress -> {}, () -> false));
    }

    /** Starts a run, and lets each member do something. */
    static void start(int ranks, RunSpec spec, Path directory, Work work) {
        forAll(
                () -> Runs.cpu(1),
                ranks,
                spec.groups(),
                (backend, collective) ->
                        Trainer.start(backend, spec, directory, PlaySettings.DEFAULT, null, collective),
                work);
    }

    private static void forAll(Supplier<Backend> device, int ranks, int groups, Start start, Work work) {
        int port = freePort();
        List<Throwable> failures = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < ranks; i++) {
            int rank = i;
            threads.add(new Thread(() -> {
                RankSettings settings = new RankSettings(rank, ranks, rank, "127.0.0.1", port, "t", "sockets");
                SocketRanks others = ranks == 1 ? null : SocketRanks.connect(settings, Map.of(), Patience.DEFAULT);
                ofRank(device, others, groups / ranks, start, work, failures);
            }));
        }
        threads.forEach(Thread::start);
        threads.forEach(GroupedRun::join);
        if (!failures.isEmpty()) {
            throw new AssertionError(failures.get(0).toString(), failures.get(0));
        }
    }

    private static void ofRank(
            Supplier<Backend> device,
            @Nullable SocketRanks ranks,
            int count,
            Start start,
            Work work,
            List<Throwable> failures) {
        try (MemberGroup group = new MemberGroup(ranks, count)) {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int index = i;
                threads.add(new Thread(() -> {
                    try (Backend backend = device.get()) {
                        Collective collective = group.member(index, backend);
                        try (Trainer trainer = start.start(backend, collective)) {
                            work.run(trainer, collective);
                        }
                    } catch (Throwable e) {
                        synchronized (failures) {
                            failures.add(e);
                        }
                        group.fail(e.toString());
                    }
                }));
            }
            threads.forEach(Thread::start);
            threads.forEach(GroupedRun::join);
        }
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
