// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.CpuMemory;
import org.fovea.backend.cpu.memory.RecordedSteps;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.RlChecks;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.backend.rl.StepInputs;

/** The operations of {@link org.fovea.backend.rl.RlOps} around a step of environments. */
final class CpuSteps {
    private final CpuMemory memory;
    private final RecordedSteps steps;

    CpuSteps(CpuMemory memory) {
        this.memory = memory;
        this.steps = memory.steps();
    }

    void advance(
            StepArrays<DeviceArray> step,
            StepClock clock,
            int origin,
            int streams,
            float gamma,
            DeviceArray ended,
            DeviceArray returns) {
        RlChecks.advance(step, clock, ended, returns);
        CpuArray rewards = memory.use(step.rewards());
        CpuArray terminated = memory.use(step.terminated());
        CpuArray truncated = memory.use(step.truncated());
        CpuArray position = memory.use(clock.positions());
        CpuArray age = memory.use(clock.ages());
        CpuArray episode = memory.use(clock.episodes());
        CpuArray discounted = memory.use(clock.discountedReturns());
        CpuArray stream = memory.use(clock.stream());
        CpuArray end = memory.use(ended);
        CpuArray last = memory.use(returns);
        steps.run(() -> {
            stream.ints[stream.offset] += streams;
            for (int i = 0; i < step.count(); i++) {
                if (position.ints[position.offset + i]++ < origin) {
                    continue;
                }
                boolean over = terminated.ints[terminated.offset + i] != 0 || truncated.ints[truncated.offset + i] != 0;
                float soFar = discounted.floats[discounted.offset + i] * gamma + rewards.floats[rewards.offset + i];
                last.floats[last.offset + i] = soFar;
                discounted.floats[discounted.offset + i] = over ? 0 : soFar;
                end.floats[end.offset + i] = over ? 1 : 0;
                age.ints[age.offset + i] = over ? 1 : age.ints[age.offset + i] + 1;
                episode.ints[episode.offset + i] += over ? 1 : 0;
            }
        });
    }

    void encode(StepEncoding encoding, StepInputs inputs, DeviceArray encoded) {
        RlChecks.encode(encoding, inputs, encoded);
        CpuArray elements = memory.use(encoding.elements());
        CpuArray scales = memory.use(encoding.scales());
        CpuArray table = memory.use(encoding.table());
        CpuArray observations = memory.use(inputs.observations());
        CpuArray actions = memory.use(inputs.actions());
        CpuArray ages = memory.use(inputs.ages());
        CpuArray allowed = inputs.allowed() == null ? null : memory.use(inputs.allowed());
        CpuArray to = memory.use(encoded);
        int rows = inputs.rows();
        int observationSize = rows == 0 ? 0 : observations.length / rows;
        int actionSize = rows == 0 ? 0 : actions.length / rows;
        int choices = rows == 0 || allowed == null ? 0 : allowed.length / rows;
        boolean chosen = actions.dtype() == DType.I32;
        int size = encoding.size();
        steps.run(() -> {
            for (int row = 0; row < rows; row++) {
                int observation = observations.offset + row * observationSize;
                int action = actions.offset + row * actionSize;
                int age = ages.ints[ages.offset + row] + inputs.later();
                boolean start = age == 1;
                for (int i = 0; i < size; i++) {
                    int entry = elements.offset + i * StepEncoding.ENTRY;
                    int kind = elements.ints[entry];
                    int a = elements.ints[entry + 1];
                    int b = elements.ints[entry + 2];
                    to.floats[to.offset + row * size + i] = switch (kind) {
                        case StepEncoding.COPIED -> observations.floats[observation + a];
                        case StepEncoding.PIXEL -> observations.floats[observation + a] / StepEncoding.BRIGHTEST;
                        case StepEncoding.CHOSEN -> !start && chosen && actions.ints[action + a] == b ? 1 : 0;
                        case StepEncoding.ACTED -> start || chosen ? 0 : actions.floats[action + a];
                        case StepEncoding.START -> start ? 1 : 0;
                        case StepEncoding.PERIODIC ->
                            table.floats[table.offset + (int) ((long) (age - 1) * b % table.length) + a];
                        case StepEncoding.ALLOWED ->
                            a >= 0 && (allowed == null || allowed.ints[allowed.offset + row * choices + a] != 0)
                                    ? 0
                                    : StepEncoding.FORBIDDEN;
                        default -> {
                            float value = observations.floats[observation + a];
                            int counted = elements.ints[entry + 3];
                            boolean missing = counted >= 0 && b >= (int) observations.floats[observation + counted];
                            yield missing ? value : scaled(value, scales, scales.offset + kind * 4);
                        }
                    };
                }
            }
        });
    }

    private static float scaled(float value, CpuArray scales, int at) {
        double scaled = (value - number(scales, at)) * number(scales, at + 2);
        return (float) Math.max(-StepEncoding.LIMIT, Math.min(StepEncoding.LIMIT, scaled));
    }

    private static double number(CpuArray halves, int at) {
        return Double.longBitsToDouble((long) halves.ints[at + 1] << 32 | halves.ints[at] & 0xFFFFFFFFL);
    }

    void enumerate(DeviceArray flags, DeviceArray next, DeviceArray numbers) {
        RlChecks.enumerate(flags, next, numbers);
        CpuArray flag = memory.use(flags);
        CpuArray counter = memory.use(next);
        CpuArray number = memory.use(numbers);
        steps.run(() -> {
            for (int i = 0; i < flag.length; i++) {
                boolean counts = flag.ints[flag.offset + i] != 0;
                number.ints[number.offset + i] = counts ? counter.ints[counter.offset]++ : -1;
            }
        });
    }
}
