package org.fovea.backend.rl;

import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.ShapeException;

/** What the operations of {@link RlOps} ask of their operands. Each throws {@link ShapeException} if it is not so. */
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

    /** Operands of {@link RlOps#advantages}. */
    public static void advantages(
            int environments,
            int steps,
            DeviceArray rewards,
            DeviceArray values,
            DeviceArray nextValues,
            DeviceArray done,
            DeviceArray advantages,
            DeviceArray returns) {
        OperandChecks.floats("advantages", "rewards", rewards, environments, steps);
        OperandChecks.floats("advantages", "values", values, environments, steps);
        OperandChecks.floats("advantages", "nextValues", nextValues, environments, steps);
        OperandChecks.floats("advantages", "done", done, environments, steps);
        OperandChecks.floats("advantages", "advantages", advantages, environments, steps);
        OperandChecks.floats("advantages", "returns", returns, environments, steps);
    }

    /** Operands of {@link RlOps#ppoCategorical}. */
    public static void ppoCategorical(
            int rows,
            int actions,
            DeviceArray logits,
            DeviceArray values,
            DeviceArray taken,
            DeviceArray oldLogProbs,
            DeviceArray advantages,
            DeviceArray returns,
            DeviceArray oldValues,
            DeviceArray dLogits,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoCategorical";
        OperandChecks.floats(operation, "logits", logits, rows, actions);
        OperandChecks.ints(operation, "taken", taken, rows);
        OperandChecks.floats(operation, "dLogits", dLogits, rows, actions);
        ppoRows(operation, rows, values, oldLogProbs, advantages, returns, oldValues, dValues, statistics);
    }

    /** Operands of {@link RlOps#ppoGaussian}. */
    public static void ppoGaussian(
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            DeviceArray values,
            DeviceArray taken,
            DeviceArray oldLogProbs,
            DeviceArray advantages,
            DeviceArray returns,
            DeviceArray oldValues,
            DeviceArray dMean,
            DeviceArray dLogStd,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoGaussian";
        OperandChecks.floats(operation, "mean", mean, rows, dim);
        OperandChecks.floats(operation, "logStd", logStd, dim);
        OperandChecks.floats(operation, "taken", taken, rows, dim);
        OperandChecks.floats(operation, "dMean", dMean, rows, dim);
        OperandChecks.floats(operation, "dLogStd", dLogStd, dim);
        ppoRows(operation, rows, values, oldLogProbs, advantages, returns, oldValues, dValues, statistics);
    }

    private static void ppoRows(
            String operation,
            int rows,
            DeviceArray values,
            DeviceArray oldLogProbs,
            DeviceArray advantages,
            DeviceArray returns,
            DeviceArray oldValues,
            DeviceArray dValues,
            DeviceArray statistics) {
        OperandChecks.floats(operation, "values", values, rows);
        OperandChecks.floats(operation, "oldLogProbs", oldLogProbs, rows);
        OperandChecks.floats(operation, "advantages", advantages, rows);
        OperandChecks.floats(operation, "returns", returns, rows);
        OperandChecks.floats(operation, "oldValues", oldValues, rows);
        OperandChecks.floats(operation, "dValues", dValues, rows);
        OperandChecks.floats(operation, "statistics", statistics, PpoLoss.STATISTICS);
    }

    /** Operands of {@link RlOps#adam}. */
    public static void adam(
            DeviceArray parameters,
            DeviceArray gradients,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state) {
        OperandChecks.floating("adam", "parameters", parameters);
        OperandChecks.floating("adam", "gradients", gradients);
        OperandChecks.floating("adam", "firstMoment", firstMoment);
        OperandChecks.floating("adam", "secondMoment", secondMoment);
        OperandChecks.sameLength("adam", "gradients", gradients, "parameters", parameters);
        OperandChecks.sameLength("adam", "firstMoment", firstMoment, "parameters", parameters);
        OperandChecks.sameLength("adam", "secondMoment", secondMoment, "parameters", parameters);
        OperandChecks.floats("adam", "state", state, AdamSettings.STATE_SIZE);
    }
}
