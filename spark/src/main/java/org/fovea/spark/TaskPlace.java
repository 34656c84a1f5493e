// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkFiles;
import org.apache.spark.TaskContext;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.resource.ResourceInformation;

/** What Spark gives a task: cores, devices, a place for files. */
final class TaskPlace {
    private static final String GPU = "gpu";
    private static final String THREADS = "--threads";

    private TaskPlace() {}

    /** Where the executor may write. */
    static Path scratch() {
        return Path.of(SparkFiles.getRootDirectory()).toAbsolutePath();
    }

    /** Of Hadoop's file systems, with what the application's settings say of them. */
    static Configuration hadoop() {
        return SparkHadoopUtil.get().newConfiguration(SparkEnv.get().conf());
    }

    /** Whether Spark has chosen the devices of a task. */
    static boolean hasDevices(TaskContext context) {
        return context.resourcesJMap().containsKey(GPU);
    }

    /** The variables that let a process see the task's devices alone, which it then numbers from 0. */
    static Map<String, String> devices(TaskContext context) {
        Map<String, String> environment = new LinkedHashMap<>();
        ResourceInformation devices = context.resourcesJMap().get(GPU);
        if (devices != null) {
            environment.put("CUDA_VISIBLE_DEVICES", String.join(",", devices.addresses()));
        }
        return environment;
    }

    /** The arguments with those threads that the task has cores for, unless they say how many. */
    static List<String> withThreads(TaskContext context, List<String> arguments) {
        List<String> all = new ArrayList<>(arguments);
        if (arguments.stream().noneMatch(each -> each.equals(THREADS) || each.startsWith(THREADS + "="))) {
            all.addAll(List.of(THREADS, Integer.toString(context.cpus())));
        }
        return all;
    }
}
