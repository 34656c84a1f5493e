// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.rl;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.cuda.params.EnvironmentParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.EnvironmentActions;
import org.fovea.backend.rl.EnvironmentCopies;
import org.fovea.backend.rl.EnvironmentOps;
import org.fovea.backend.rl.RlChecks;
import org.fovea.backend.rl.StepArrays;

/** Environments as kernels, a thread for each copy: those of {@code kernels/env}, and users' own. */
public final class CudaEnvironments implements EnvironmentOps {
    private static final String PREFIX = "environment_";

    /** Few, so that some thousands of copies occupy every multiprocessor. */
    private static final int THREADS = 64;

    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final EnvironmentParams params;
    private final Map<String, CudaKernels.Kernel> found = new HashMap<>();
    private final long[] tables = new long[EnvironmentCopies.MOST_TABLES];

    public CudaEnvironments(CudaMemory memory, CudaKernels kernels) {
        this.memory = memory;
        this.kernels = kernels;
        params = new EnvironmentParams(kernels.parameters());
    }

    @Override
    public boolean has(String kernel) {
        return kernels.has(PREFIX + kernel);
    }

    @Override
    public void step(
            EnvironmentCopies<DeviceArray> copies,
            EnvironmentActions<DeviceArray> actions,
            StepArrays<DeviceArray> result) {
        String operation = "environmentStep";
        RlChecks.environmentStep(copies, actions, result);
        Arrays.fill(tables, 0);
        for (int k = 0; k < copies.tables().size(); k++) {
            tables[k] =
                    memory.addressOfIntegers(operation, "table", copies.tables().get(k));
        }
        boolean isChoice = !actions.taken().dtype().isFloating();
        DeviceArray bounds = actions.bounds();
        CudaKernels.Kernel kernel =
                found.computeIfAbsent(copies.kernel(), name -> kernels.find(PREFIX + name, THREADS, 0));
        params.state(address(operation, "state", DType.I32, copies.state()))
                .tables(tables)
                .choices(isChoice ? address(operation, "taken", DType.I32, actions.taken()) : 0)
                .values(isChoice ? 0 : address(operation, "taken", DType.F32, actions.taken()))
                .bounds(bounds == null ? 0 : address(operation, "bounds", DType.F32, bounds))
                .observations(address(operation, "observations", DType.F32, result.observations()))
                .rewards(address(operation, "rewards", DType.F32, result.rewards()))
                .terminated(address(operation, "terminated", DType.I32, result.terminated()))
                .truncated(address(operation, "truncated", DType.I32, result.truncated()))
                .finalObservations(address(operation, "finalObservations", DType.F32, result.finalObservations()))
                .actionMasks(
                        copies.maskedChoices() == 0
                                ? 0
                                : memory.addressOfIntegers(operation, "actionMasks", result.actionMasks()))
                .choiceCount(copies.maskedChoices())
                .constants(copies.constants())
                .constantBytes(copies.constantBytes())
                .stateBytes(copies.stateBytes())
                .count(copies.count())
                .observationSize(result.size())
                .actionSize(actions.size())
                .timeLimit(copies.timeLimit())
                .tanh(actions.tanh() ? 1 : 0);
        kernels.launchShared(kernel, Grid.tiles(copies.count(), THREADS), params);
    }

    private long address(String operation, String name, DType type, DeviceArray array) {
        return memory.resolve(operation, name, type, array).address();
    }
}
