// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.BarrierTaskInfo;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/**
 * One rank of a run, as a task of a barrier stage: all of them run at once, or none. Its result is its number, the exit code and the last lines of its process.
 * Where a process fails, the tasks fail, Spark starts the stage again, and the run goes on from its last checkpoint. What cannot be, such as an
 * option that there is not, fails once and for all.
 */
final class RankTask extends AbstractFunction1<Iterator<Integer>, Iterator<String>> implements Serializable {
    private static final long serialVersionUID = 1;

    private static final int TOKEN_BYTES = 16;
    private static final String LOOPBACK = "127.0.0.1";

    /** Exit codes of what cannot be, and of a machine without the backend that was asked for. */
    private static final List<Integer> FINAL = List.of(2, 3);

    private final Arguments arguments;

    RankTask(Arguments arguments) {
        this.arguments = arguments;
    }

    @Override
    public Iterator<String> apply(Iterator<Integer> partition) {
        try {
            return CollectionConverters.asScala(
                    List.of(run(BarrierTaskContext.get())).iterator());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    private String run(BarrierTaskContext context) throws IOException, InterruptedException {
        int rank = context.partitionId();
        try (RunDirectory directory = RunDirectory.open(arguments.out(), TaskPlace.scratch(), TaskPlace.hadoop())) {
            String[] meeting = context.allGather(rank == 0 ? meeting(context, directory) : "")[0].split(" ");
            FoveaProcess.End end = FoveaProcess.start(
                            "rank " + rank + ": ",
                            environment(context, meeting[0], meeting[1]),
                            command(context, directory, meeting[2]))
                    .await(context::isInterrupted, () -> sendNow(rank, directory));
            if (rank == 0) {
                directory.send();
            }
            context.killTaskIfInterrupted();
            requireAll(context, end);
            return rank + "\n" + end.code() + "\n" + (rank == 0 ? String.join("\n", end.lines()) : "");
        }
    }

    /** What all need to know: a port of this machine, the token, how the run begins. */
    private String meeting(BarrierTaskContext context, RunDirectory directory)
            throws IOException, InterruptedException {
        boolean isRestart = context.stageAttemptNumber() > 0;
        if (isRestart) {
            directory.awaitFree();
        }
        String beginning = (isRestart || arguments.resume()) && directory.hasCheckpoint()
                ? "--resume"
                : isRestart || arguments.overwrite() ? "--overwrite" : "new";
        byte[] token = new byte[TOKEN_BYTES];
        new SecureRandom().nextBytes(token);
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort() + " " + HexFormat.of().formatHex(token) + " " + beginning;
        }
    }

    private List<String> command(BarrierTaskContext context, RunDirectory directory, String beginning) {
        List<String> command = new ArrayList<>(List.of("train"));
        command.addAll(TaskPlace.withThreads(context, arguments.rest()));
        command.addAll(List.of("--out", directory.local().toString()));
        if (beginning.startsWith("--")) {
            command.add(beginning);
        }
        return command;
    }

    private static Map<String, String> environment(BarrierTaskContext context, String port, String token) {
        int rank = context.partitionId();
        BarrierTaskInfo[] all = context.getTaskInfos();
        List<String> hosts = new ArrayList<>();
        for (BarrierTaskInfo each : all) {
            hosts.add(each.address().replaceFirst(":\\d+$", ""));
        }
        boolean isOneMachine = hosts.stream().distinct().count() == 1;
        long before =
                hosts.subList(0, rank).stream().filter(hosts.get(rank)::equals).count();
        Map<String, String> environment = new LinkedHashMap<>(TaskPlace.devices(context));
        environment.put("RANK", Integer.toString(rank));
        environment.put("WORLD_SIZE", Integer.toString(all.length));
        // Where a rank sees its own device alone, that is the first one.
        environment.put("LOCAL_RANK", TaskPlace.hasDevices(context) ? "0" : Long.toString(before));
        environment.put("MASTER_ADDR", isOneMachine ? LOOPBACK : hosts.get(0));
        environment.put("MASTER_PORT", port);
        environment.put("FOVEA_TOKEN", token);
        return environment;
    }

    private static void sendNow(int rank, RunDirectory directory) {
        if (rank == 0) {
            try {
                directory.sendNow();
            } catch (IOException e) {
                // A file system may be away for a while; what counts is the copy at the end.
                System.err.println("fovea: checkpoints cannot be copied now: " + e);
            }
        }
    }

    /** Comes to the same end in all tasks: returns, or throws what tells of every rank. */
    private static void requireAll(BarrierTaskContext context, FoveaProcess.End own) {
        String last = own.lines().isEmpty() ? "" : own.lines().get(own.lines().size() - 1);
        String[] ends = context.allGather(own.code() + " " + last);
        List<String> failed = new ArrayList<>();
        for (int rank = 0; rank < ends.length; rank++) {
            String[] words = ends[rank].split(" ", 2);
            int code = Integer.parseInt(words[0]);
            if (FINAL.contains(code)) {
                return;
            }
            if (code != 0) {
                failed.add("rank " + rank + " ended with exit code " + code + ": " + words[1]);
            }
        }
        if (!failed.isEmpty()) {
            throw new IllegalStateException(String.join("; ", failed));
        }
    }
}
