// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/** Checks of the operands of {@link RlOps}. Each throws {@link ShapeException} where lengths are not as they must be. */
public final class RlChecks {

    private RlChecks() {}

    /** Operands of {@link RlOps#sampleCategorical}. */
    public static void sampleCategorical(
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs) {
        OperandChecks.floats("sampleCategorical", "logits", logits, rows, actions);
        MathChecks.counter("sampleCategorical", draw);
        OperandChecks.ints("sampleCategorical", "sampled", sampled, rows);
        OperandChecks.floats("sampleCategorical", "logProbs", logProbs, rows);
        if (rows > 0 && actions == 0) {
            throw new ShapeException("sampleCategorical", "there is no action to choose in [" + rows + ", 0]");
        }
    }

    /** Operands of {@link RlOps#argmax}. */
    public static void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        OperandChecks.floats("argmax", "x", x, rows, width);
        OperandChecks.ints("argmax", "y", y, rows);
        if (rows > 0 && width == 0) {
            throw new ShapeException("argmax", "there is no element to choose in [" + rows + ", 0]");
        }
    }

    /** Operands of {@link RlOps#sampleGaussian}. */
    public static void sampleGaussian(
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            RandomRange draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        OperandChecks.floats("sampleGaussian", "mean", mean, rows, dim);
        OperandChecks.floats("sampleGaussian", "logStd", logStd, dim);
        MathChecks.counter("sampleGaussian", draw);
        OperandChecks.floats("sampleGaussian", "sampled", sampled, rows, dim);
        OperandChecks.floats("sampleGaussian", "logProbs", logProbs, rows);
    }

    /** Operands of {@link RlOps#advance}. */
    public static void advance(StepArrays<DeviceArray> step, StepClock clock, DeviceArray ended, DeviceArray returns) {
        int count = step.count();
        OperandChecks.floats("advance", "rewards", step.rewards(), count);
        OperandChecks.ints("advance", "terminated", step.terminated(), count);
        OperandChecks.ints("advance", "truncated", step.truncated(), count);
        OperandChecks.ints("advance", "positions", clock.positions(), count);
        OperandChecks.ints("advance", "ages", clock.ages(), count);
        OperandChecks.ints("advance", "episodes", clock.episodes(), count);
        OperandChecks.floats("advance", "discountedReturns", clock.discountedReturns(), count);
        OperandChecks.ints("advance", "stream", clock.stream(), 1);
        OperandChecks.floats("advance", "ended", ended, count);
        OperandChecks.floats("advance", "returns", returns, count);
    }

    /** Operands of {@link RlOps#encode}, whose entries are taken on trust. */
    public static void encode(StepEncoding encoding, StepInputs inputs, DeviceArray encoded) {
        OperandChecks.ints("encode", "elements", encoding.elements(), encoding.size(), StepEncoding.ENTRY);
        int columns = Math.toIntExact(encoding.scales().length() / StepEncoding.ENTRY);
        OperandChecks.ints("encode", "scales", encoding.scales(), columns, StepEncoding.ENTRY);
        OperandChecks.floating("encode", "table", encoding.table());
        OperandChecks.floating("encode", "observations", inputs.observations());
        OperandChecks.ints("encode", "ages", inputs.ages(), inputs.rows());
        OperandChecks.floats("encode", "encoded", encoded, inputs.rows(), encoding.size());
        ofRows("observations", inputs.observations(), inputs.rows());
        ofRows("actions", inputs.actions(), inputs.rows());
        if (inputs.allowed() != null) {
            OperandChecks.ints(
                    "encode",
                    "allowed",
                    inputs.allowed(),
                    Math.toIntExact(inputs.allowed().length()));
            ofRows("allowed", inputs.allowed(), inputs.rows());
        }
    }

    private static void ofRows(String name, DeviceArray array, int rows) {
        if (rows == 0 ? array.length() != 0 : array.length() % rows != 0) {
            throw new ShapeException(
                    "encode", name + " has " + array.length() + " elements, expected a multiple of " + rows + " rows");
        }
    }

    /** Operands of {@link RlOps#enumerate}. */
    public static void enumerate(DeviceArray flags, DeviceArray next, DeviceArray numbers) {
        int count = Math.toIntExact(flags.length());
        OperandChecks.ints("enumerate", "flags", flags, count);
        OperandChecks.ints("enumerate", "next", next, 1);
        OperandChecks.ints("enumerate", "numbers", numbers, count);
    }

    /** Operands of {@link RlOps#advantages}. */
    public static void advantages(Trajectories<DeviceArray> trajectories, DeviceArray advantages, DeviceArray returns) {
        int environments = trajectories.environments();
        int steps = trajectories.steps();
        OperandChecks.floats("advantages", "rewards", trajectories.rewards(), environments, steps);
        OperandChecks.floats("advantages", "values", trajectories.values(), environments, steps);
        OperandChecks.floats("advantages", "nextValues", trajectories.nextValues(), environments, steps);
        OperandChecks.floats("advantages", "done", trajectories.done(), environments, steps);
        OperandChecks.floats("advantages", "advantages", advantages, environments, steps);
        OperandChecks.floats("advantages", "returns", returns, environments, steps);
    }

    /** Operands of {@link RlOps#ppoCategorical}. */
    public static void ppoCategorical(
            PpoBatch<DeviceArray> batch,
            int parts,
            int actions,
            DeviceArray logits,
            DeviceArray values,
            DeviceArray dLogits,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoCategorical";
        OperandChecks.floats(operation, "logits", logits, batch.rows(), parts, actions);
        OperandChecks.ints(operation, "taken", batch.taken(), batch.rows(), parts);
        OperandChecks.floats(operation, "dLogits", dLogits, batch.rows(), parts, actions);
        ppo(operation, batch, values, dValues, statistics);
    }

    /** Operands of {@link RlOps#ppoGaussian}. */
    public static void ppoGaussian(
            PpoBatch<DeviceArray> batch,
            DeviceArray mean,
            DeviceArray logStd,
            DeviceArray values,
            DeviceArray dMean,
            DeviceArray dLogStd,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoGaussian";
        int dim = Math.toIntExact(logStd.length());
        OperandChecks.floats(operation, "mean", mean, batch.rows(), dim);
        OperandChecks.floating(operation, "logStd", logStd);
        OperandChecks.floats(operation, "taken", batch.taken(), batch.rows(), dim);
        OperandChecks.floats(operation, "dMean", dMean, batch.rows(), dim);
        OperandChecks.floats(operation, "dLogStd", dLogStd, dim);
        ppo(operation, batch, values, dValues, statistics);
    }

    private static void ppo(
            String operation,
            PpoBatch<DeviceArray> batch,
            DeviceArray values,
            DeviceArray dValues,
            DeviceArray statistics) {
        int rows = batch.rows();
        OperandChecks.floats(operation, "values", values, rows);
        OperandChecks.floats(operation, "oldLogProbs", batch.oldLogProbs(), rows);
        OperandChecks.floats(operation, "advantages", batch.advantages(), rows);
        OperandChecks.floats(operation, "returns", batch.returns(), rows);
        OperandChecks.floats(operation, "oldValues", batch.oldValues(), rows);
        OperandChecks.floats(operation, "clip", batch.clip(), 1);
        OperandChecks.floats(operation, "dValues", dValues, rows);
        OperandChecks.floats(operation, "statistics", statistics, PpoLoss.STATISTICS);
    }

    /** Operands of {@link RlOps#flagDivergence}. */
    public static void flagDivergence(DeviceArray statistics, DeviceArray flag) {
        int records = Math.toIntExact(statistics.length() / PpoLoss.STATISTICS);
        OperandChecks.floats("flagDivergence", "statistics", statistics, records, PpoLoss.STATISTICS);
        OperandChecks.floats("flagDivergence", "flag", flag, 1);
    }

    /** Operands of {@link RlOps#adam}. */
    public static void adam(
            DeviceArray parameters,
            DeviceArray gradients,
            @Nullable DeviceArray decayed,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state) {
        OperandChecks.floating("adam", "parameters", parameters);
        OperandChecks.floating("adam", "gradients", gradients);
        OperandChecks.floating("adam", "firstMoment", firstMoment);
        OperandChecks.floating("adam", "secondMoment", secondMoment);
        OperandChecks.sameLength("adam", "gradients", gradients, "parameters", parameters);
        if (decayed != null) {
            OperandChecks.floating("adam", "decayed", decayed);
            OperandChecks.sameLength("adam", "decayed", decayed, "parameters", parameters);
        }
        OperandChecks.sameLength("adam", "firstMoment", firstMoment, "parameters", parameters);
        OperandChecks.sameLength("adam", "secondMoment", secondMoment, "parameters", parameters);
        OperandChecks.floats("adam", "state", state, AdamSettings.STATE_SIZE);
    }

    /** Operands of {@link EnvironmentOps#step}. */
    public static void environmentStep(
            EnvironmentCopies<DeviceArray> copies,
            EnvironmentActions<DeviceArray> actions,
            StepArrays<DeviceArray> result) {
        String operation = "environmentStep";
        int count = copies.count();
        int planes = EnvironmentCopies.STATE + copies.stateBytes() / Integer.BYTES;
        OperandChecks.ints(operation, "state", copies.state(), EnvironmentCopies.HEADER_WORDS + planes * count);
        if (copies.tables().size() > EnvironmentCopies.MOST_TABLES
                || copies.constants().length > EnvironmentCopies.MOST_CONSTANTS) {
            throw new IllegalArgumentException(operation + ": " + copies.kernel() + " has "
                    + copies.tables().size()
                    + " tables and " + copies.constants().length * Long.BYTES + " bytes of constants; there can be "
                    + EnvironmentCopies.MOST_TABLES + " and " + EnvironmentCopies.MOST_CONSTANTS * Long.BYTES);
        }
        if (actions.taken().dtype().isFloating()) {
            OperandChecks.floats(operation, "taken", actions.taken(), count, actions.size());
        } else {
            OperandChecks.ints(operation, "taken", actions.taken(), count, actions.size());
        }
        if (actions.bounds() != null) {
            OperandChecks.floats(operation, "bounds", actions.bounds(), 2, actions.size());
        }
        OperandChecks.floats(operation, "observations", result.observations(), count, result.size());
        OperandChecks.floats(operation, "rewards", result.rewards(), count);
        OperandChecks.ints(operation, "terminated", result.terminated(), count);
        OperandChecks.ints(operation, "truncated", result.truncated(), count);
        OperandChecks.floats(operation, "finalObservations", result.finalObservations(), count, result.size());
        if (copies.maskedChoices() > 0) {
            DeviceArray masks = result.actionMasks();
            if (masks == null) {
                throw new IllegalArgumentException(operation + ": " + copies.kernel()
                        + " forbids choices, and there is no array for action masks");
            }
            OperandChecks.ints(operation, "actionMasks", masks, count, copies.maskedChoices());
        }
    }
}
