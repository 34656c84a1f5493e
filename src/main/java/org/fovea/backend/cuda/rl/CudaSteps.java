// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.rl;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.params.AdvanceParams;
import org.fovea.backend.cuda.params.EncodeParams;
import org.fovea.backend.cuda.params.EnumerateParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.RlChecks;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.backend.rl.StepInputs;

/** The operations of {@link org.fovea.backend.rl.RlOps} around a step of environments as kernel launches. */
final class CudaSteps {
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final CudaKernels.Kernel advance;
    private final CudaKernels.Kernel encode;
    private final CudaKernels.Kernel enumerate;
    private final AdvanceParams advanceParams;
    private final EncodeParams encodeParams;
    private final EnumerateParams enumerateParams;

    CudaSteps(CudaMemory memory, CudaKernels kernels) {
        this.memory = memory;
        this.kernels = kernels;
        advance = kernels.find("advance_steps");
        encode = kernels.find("encode_steps");
        enumerate = kernels.find("enumerate_flags");
        advanceParams = new AdvanceParams(kernels.parameters());
        encodeParams = new EncodeParams(kernels.parameters());
        enumerateParams = new EnumerateParams(kernels.parameters());
    }

    void advance(
            StepArrays<DeviceArray> step,
            StepClock clock,
            int origin,
            int streams,
            float gamma,
            DeviceArray ended,
            DeviceArray returns) {
        String operation = "advance";
        RlChecks.advance(step, clock, ended, returns);
        advanceParams
                .rewards(memory.floats(operation, "rewards", step.rewards()).address())
                .terminated(memory.addressOfIntegers(operation, "terminated", step.terminated()))
                .truncated(memory.addressOfIntegers(operation, "truncated", step.truncated()))
                .positions(memory.addressOfIntegers(operation, "positions", clock.positions()))
                .ages(memory.addressOfIntegers(operation, "ages", clock.ages()))
                .episodes(memory.addressOfIntegers(operation, "episodes", clock.episodes()))
                .discountedReturns(memory.floats(operation, "discountedReturns", clock.discountedReturns())
                        .address())
                .stream(memory.addressOfIntegers(operation, "stream", clock.stream()))
                .ended(memory.floats(operation, "ended", ended).address())
                .returns(memory.floats(operation, "returns", returns).address())
                .count(step.count())
                .origin(origin)
                .streams(streams)
                .gamma(gamma);
        kernels.launchElements(advance, step.count(), advanceParams);
    }

    void encode(StepEncoding encoding, StepInputs inputs, DeviceArray encoded) {
        String operation = "encode";
        RlChecks.encode(encoding, inputs, encoded);
        int rows = inputs.rows();
        CudaArray observations = memory.floats(operation, "observations", inputs.observations());
        CudaArray actions = memory.words(operation, "actions", inputs.actions());
        CudaArray to = memory.floats(operation, "encoded", encoded);
        requireApart(operation, to, observations, actions);
        encodeParams
                .elements(memory.addressOfIntegers(operation, "elements", encoding.elements()))
                .scales(memory.addressOfIntegers(operation, "scales", encoding.scales()))
                .table(memory.floats(operation, "table", encoding.table()).address())
                .observations(observations.address())
                .actions(actions.address())
                .ages(memory.addressOfIntegers(operation, "ages", inputs.ages()))
                .allowed(memory.addressOfIntegers(operation, "allowed", inputs.allowed()))
                .encoded(to.address())
                .rows(rows)
                .size(encoding.size())
                .observationSize(rows == 0 ? 0 : (int) (observations.length() / rows))
                .actionSize(rows == 0 ? 0 : (int) (actions.length() / rows))
                .choices(
                        rows == 0 || inputs.allowed() == null
                                ? 0
                                : (int) (inputs.allowed().length() / rows))
                .tableLength((int) encoding.table().length())
                .later(inputs.later())
                .chosen(actions.dtype() == DType.I32 ? 1 : 0);
        kernels.launchElements(encode, (long) rows * encoding.size(), encodeParams);
    }

    void enumerate(DeviceArray flags, DeviceArray next, DeviceArray numbers) {
        RlChecks.enumerate(flags, next, numbers);
        if (flags.length() > 0) {
            enumerateParams
                    .flags(memory.addressOfIntegers("enumerate", "flags", flags))
                    .next(memory.addressOfIntegers("enumerate", "next", next))
                    .numbers(memory.addressOfIntegers("enumerate", "numbers", numbers))
                    .count(flags.length());
            kernels.launch(enumerate, 1, enumerateParams);
        }
    }
}
