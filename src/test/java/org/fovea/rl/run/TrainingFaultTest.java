// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import jcuda.driver.CUresult;
import org.assertj.core.api.SoftAssertions;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.io.DurableFiles;
import org.fovea.rl.policy.PolicyKind;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A training run in which a call of the driver fails: at the first call for each purpose and at some others; with
 * FOVEA_DEEP=1 at many. The run ends with an error that names the call, or as if nothing had happened; what it saved before
 * loads, and nothing stays allocated.
 */
@Tag("integration")
class TrainingFaultTest {
    private static final boolean DEEP = System.getenv("FOVEA_DEEP") != null;
    private static final int OTHERS = DEEP ? 400 : 8;
    private static final long ITERATIONS = 3;

    @TempDir
    Path directory;

    /** A failure of the {@code count}-th call of a function. */
    private record Fault(String function, int count, String what, int result) {
        @Override
        public String toString() {
            return function + " " + what + ", call " + count + ": " + CUresult.stringFor(result);
        }
    }

    @BeforeEach
    void simulated() {
        Simulator.assumeSimulated();
        Simulator.load();
    }

    @Test
    @Timeout(value = 20, unit = TimeUnit.MINUTES)
    void aFailingCallEndsARunCleanlyOrNotAtAll() throws IOException {
        RunSpec spec = spec();
        float[][] undisturbed = new float[1][];
        List<String> calls = Simulator.trace(
                directory.resolve("calls"), () -> undisturbed[0] = train(spec, directory.resolve("undisturbed")));
        assertThat(calls).anyMatch(call -> call.startsWith("cuLaunchKernel "));

        SoftAssertions softly = new SoftAssertions();
        int ended = 0;
        for (Fault fault : faults(calls)) {
            ended += happensCleanly(softly, spec, fault, undisturbed[0]) ? 0 : 1;
        }
        softly.assertAll();
        assertThat(ended).isPositive();
    }

    private static RunSpec spec() {
        RunSpec run = Runs.small("MemoryChain-v0:length=2", PolicyKind.ATTENTION, 1, Map.of("epochs", "1"))
                .with(Map.of("width", "8", "layers", "1", "window", "3", "rollout_steps", "3", "minibatches", "1"))
                .withEnvironments(5);
        return run.withSteps((ITERATIONS + 1) * run.stepsPerIteration());
    }

    /** Trains for {@link #ITERATIONS} iterations; one is left, so that the final evaluation, which is long, is not made. */
    private static float[] train(RunSpec spec, Path run) {
        try (Backend backend = Simulator.open();
                Trainer trainer = Trainer.start(backend, spec, run)) {
            long[] done = {0};
            trainer.run(progress -> done[0]++, () -> done[0] == ITERATIONS);
            return Runs.parameters(trainer);
        }
    }

    /** The first call for each purpose, and others, each failing by itself and with the device. */
    private static List<Fault> faults(List<String> calls) {
        List<Fault> firsts = new ArrayList<>();
        List<Fault> others = new ArrayList<>();
        Set<String> purposes = new HashSet<>();
        Map<String, Integer> counts = new HashMap<>();
        for (String call : calls) {
            int space = call.indexOf(' ');
            String function = call.substring(0, space);
            int count = counts.merge(function, 1, Integer::sum);
            boolean allocates = function.equals("cuMemAlloc_v2") || function.equals("cuMemHostAlloc");
            int[] results = {
                allocates ? CUresult.CUDA_ERROR_OUT_OF_MEMORY : CUresult.CUDA_ERROR_NOT_SUPPORTED,
                CUresult.CUDA_ERROR_LAUNCH_FAILED
            };
            for (int result : results) {
                (purposes.contains(call) ? others : firsts)
                        .add(new Fault(function, count, call.substring(space + 1), result));
            }
            purposes.add(call);
        }
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < OTHERS && !others.isEmpty(); i++) {
            firsts.add(others.remove(random.nextInt(others.size())));
        }
        return firsts;
    }

    /** Whether the run went on to its end. */
    private boolean happensCleanly(SoftAssertions softly, RunSpec spec, Fault fault, float[] undisturbed)
            throws IOException {
        Path run = directory.resolve("run");
        Throwable thrown = null;
        Simulator.fail(fault.function, fault.count, fault.result);
        try {
            softly.assertThat(train(spec, run)).as("%s: parameters", fault).isEqualTo(undisturbed);
        } catch (RuntimeException e) {
            thrown = e;
        } finally {
            Simulator.failNoMore();
        }
        softly.assertThat(Simulator.allocations()).as("%s: allocations", fault).isZero();
        if (thrown != null) {
            softly.assertThat(messages(thrown)).as("%s", fault).contains(describe(fault));
        }
        if (savedSomething(run)) {
            softly.assertThatCode(() -> resumeOnCpu(run))
                    .as("%s: resuming", fault)
                    .doesNotThrowAnyException();
        }
        if (Files.exists(run)) {
            DurableFiles.deleteTree(run);
        }
        return thrown == null;
    }

    /** What the error must say. Of a lost device another call may tell first: those that poison memory do not. */
    private static String describe(Fault fault) {
        if (fault.result == CUresult.CUDA_ERROR_OUT_OF_MEMORY && fault.function.equals("cuMemAlloc_v2")) {
            // The first is that of the kernels' counters, before there are any arrays.
            return fault.count == 1 ? "cuMemAlloc failed in opening (bytes " : "bytes of device memory; arrays hold";
        }
        // cuBLAS has statuses of its own.
        if (fault.what.startsWith("cuBLAS")) {
            return "CUBLAS_STATUS_EXECUTION_FAILED";
        }
        String error = CUresult.stringFor(fault.result);
        boolean lost = fault.result == CUresult.CUDA_ERROR_LAUNCH_FAILED && !fault.function.startsWith("cublas");
        return lost || fault.function.equals("cuDeviceGetCount")
                ? error
                : fault.function.replaceFirst("(_v2|WithFlags)$", "") + " failed in ";
    }

    private static String messages(@Nullable Throwable thrown) {
        return thrown == null ? "" : thrown.getMessage() + "\n" + messages(thrown.getCause());
    }

    private static boolean savedSomething(Path run) throws IOException {
        if (!Files.exists(run)) {
            return false;
        }
        try (Stream<Path> files = Files.list(run)) {
            return files.anyMatch(file -> file.getFileName().toString().startsWith("checkpoint-"));
        }
    }

    private static void resumeOnCpu(Path run) throws IOException {
        SavedRun saved = SavedRun.load(run);
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.resume(backend, saved.spec(), saved, run)) {
            assertThat(saved.iteration()).isBetween(1L, ITERATIONS);
            trainer.iterate();
        }
    }
}
