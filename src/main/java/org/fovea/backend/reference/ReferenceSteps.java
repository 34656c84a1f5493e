// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.util.Objects;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.RlChecks;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.backend.rl.StepInputs;

/** The operations around a step of environments, from their definitions. */
final class ReferenceSteps {
    private final ReferenceMemory memory;

    ReferenceSteps(ReferenceMemory memory) {
        this.memory = memory;
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
        memory.use(clock.stream()).add(0, streams);
        for (int i = 0; i < step.count(); i++) {
            boolean acted = memory.use(clock.positions()).integer(i) >= origin;
            memory.use(clock.positions()).add(i, 1);
            if (acted) {
                boolean over = memory.use(step.terminated()).integer(i)
                                + memory.use(step.truncated()).integer(i)
                        > 0;
                double soFar = gamma * memory.use(clock.discountedReturns()).get(i)
                        + memory.use(step.rewards()).get(i);
                memory.use(returns).set(i, soFar);
                memory.use(ended).set(i, over ? 1 : 0);
                memory.use(clock.discountedReturns()).set(i, over ? 0 : soFar);
                memory.use(clock.episodes()).add(i, over ? 1 : 0);
                memory.use(clock.ages())
                        .set(i, over ? 1 : memory.use(clock.ages()).integer(i) + 1);
            }
        }
    }

    void encode(StepEncoding encoding, StepInputs inputs, DeviceArray encoded) {
        RlChecks.encode(encoding, inputs, encoded);
        for (int row = 0; row < inputs.rows(); row++) {
            for (int i = 0; i < encoding.size(); i++) {
                memory.use(encoded).set((long) row * encoding.size() + i, number(encoding, inputs, row, i));
            }
        }
    }

    private double number(StepEncoding encoding, StepInputs inputs, int row, int i) {
        double[] entry = memory.use(encoding.elements()).row(i, StepEncoding.ENTRY);
        int a = (int) entry[1];
        int b = (int) entry[2];
        int c = (int) entry[3];
        int age = memory.use(inputs.ages()).integer(row) + inputs.later();
        return switch ((int) entry[0]) {
            case StepEncoding.COPIED -> of(inputs.observations(), inputs, row, a);
            case StepEncoding.PIXEL -> of(inputs.observations(), inputs, row, a) / StepEncoding.BRIGHTEST;
            case StepEncoding.CHOSEN -> age > 1 && of(inputs.actions(), inputs, row, a) == b ? 1 : 0;
            case StepEncoding.ACTED -> age > 1 ? of(inputs.actions(), inputs, row, a) : 0;
            case StepEncoding.START -> age == 1 ? 1 : 0;
            case StepEncoding.PERIODIC -> {
                int rows = (int) encoding.table().length() / b;
                yield memory.use(encoding.table()).get((age - 1) % rows * b + a);
            }
            case StepEncoding.ALLOWED -> {
                boolean may = a >= 0
                        && (inputs.allowed() == null
                                || of(Objects.requireNonNull(inputs.allowed()), inputs, row, a) == 1);
                yield may ? 0 : StepEncoding.FORBIDDEN;
            }
            default -> {
                double value = of(inputs.observations(), inputs, row, a);
                if (c >= 0 && b + 1 > of(inputs.observations(), inputs, row, c)) {
                    yield value;
                }
                double scaled = (value - scale(encoding, (int) entry[0], 0)) * scale(encoding, (int) entry[0], 2);
                yield Math.max(-StepEncoding.LIMIT, Math.min(StepEncoding.LIMIT, scaled));
            }
        };
    }

    private double of(DeviceArray array, StepInputs inputs, int row, int i) {
        return memory.use(array).get(row * (array.length() / inputs.rows()) + i);
    }

    private double scale(StepEncoding encoding, int column, int half) {
        long low = memory.use(encoding.scales()).integer(column * 4L + half);
        long high = memory.use(encoding.scales()).integer(column * 4L + half + 1);
        return Double.longBitsToDouble(high << 32 | low & 0xFFFFFFFFL);
    }

    void enumerate(DeviceArray flags, DeviceArray next, DeviceArray numbers) {
        RlChecks.enumerate(flags, next, numbers);
        for (int i = 0; i < flags.length(); i++) {
            boolean counts = memory.use(flags).integer(i) != 0;
            memory.use(numbers).set(i, counts ? memory.use(next).integer(0) : -1);
            memory.use(next).add(0, counts ? 1 : 0);
        }
    }
}
