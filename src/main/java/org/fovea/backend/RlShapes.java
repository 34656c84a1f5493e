package org.fovea.backend;

/** What the operations of {@link RlOps} ask of their operands. Each throws {@link ShapeException} if it is not so. */
public final class RlShapes {

    private RlShapes() {}

    /** Operands of {@link RlOps#sampleCategorical}. */
    public static void sampleCategorical(
            int rows, int actions, DeviceArray logits, Draw draw, DeviceArray sampled, DeviceArray logProbs) {
        Shapes.floats("sampleCategorical", "logits", logits, rows, actions);
        MathShapes.counter("sampleCategorical", draw);
        Shapes.ints("sampleCategorical", "sampled", sampled, rows);
        Shapes.floats("sampleCategorical", "logProbs", logProbs, rows);
        if (rows > 0 && actions == 0) {
            throw new ShapeException("sampleCategorical", "there is no action to choose in [" + rows + ", 0]");
        }
    }

    /** Operands of {@link RlOps#argmax}. */
    public static void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        Shapes.floats("argmax", "x", x, rows, width);
        Shapes.ints("argmax", "y", y, rows);
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
            Draw draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        Shapes.floats("sampleGaussian", "mean", mean, rows, dim);
        Shapes.floats("sampleGaussian", "logStd", logStd, dim);
        MathShapes.counter("sampleGaussian", draw);
        Shapes.floats("sampleGaussian", "sampled", sampled, rows, dim);
        Shapes.floats("sampleGaussian", "logProbs", logProbs, rows);
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
        Shapes.floats("advantages", "rewards", rewards, environments, steps);
        Shapes.floats("advantages", "values", values, environments, steps);
        Shapes.floats("advantages", "nextValues", nextValues, environments, steps);
        Shapes.floats("advantages", "done", done, environments, steps);
        Shapes.floats("advantages", "advantages", advantages, environments, steps);
        Shapes.floats("advantages", "returns", returns, environments, steps);
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
        Shapes.floats(operation, "logits", logits, rows, actions);
        Shapes.ints(operation, "taken", taken, rows);
        Shapes.floats(operation, "dLogits", dLogits, rows, actions);
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
        Shapes.floats(operation, "mean", mean, rows, dim);
        Shapes.floats(operation, "logStd", logStd, dim);
        Shapes.floats(operation, "taken", taken, rows, dim);
        Shapes.floats(operation, "dMean", dMean, rows, dim);
        Shapes.floats(operation, "dLogStd", dLogStd, dim);
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
        Shapes.floats(operation, "values", values, rows);
        Shapes.floats(operation, "oldLogProbs", oldLogProbs, rows);
        Shapes.floats(operation, "advantages", advantages, rows);
        Shapes.floats(operation, "returns", returns, rows);
        Shapes.floats(operation, "oldValues", oldValues, rows);
        Shapes.floats(operation, "dValues", dValues, rows);
        Shapes.floats(operation, "statistics", statistics, PpoLoss.STATISTICS);
    }

    /** Operands of {@link RlOps#adam}. */
    public static void adam(
            DeviceArray parameters,
            DeviceArray gradients,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state) {
        Shapes.floating("adam", "parameters", parameters);
        Shapes.floating("adam", "gradients", gradients);
        Shapes.floating("adam", "firstMoment", firstMoment);
        Shapes.floating("adam", "secondMoment", secondMoment);
        Shapes.sameLength("adam", "gradients", gradients, "parameters", parameters);
        Shapes.sameLength("adam", "firstMoment", firstMoment, "parameters", parameters);
        Shapes.sameLength("adam", "secondMoment", secondMoment, "parameters", parameters);
        Shapes.floats("adam", "state", state, AdamSettings.STATE_SIZE);
    }
}
