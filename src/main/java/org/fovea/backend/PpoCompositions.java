package org.fovea.backend;

/** The PPO losses from primitives; formulas in {@link PpoLoss}. */
final class PpoCompositions {

    private final MathOps b;
    private final Formula f;
    private final PpoLoss loss;
    private final int rows;
    private final DeviceArray statistics;

    private PpoCompositions(MathOps b, Formula f, PpoLoss loss, int rows, DeviceArray statistics) {
        this.b = b;
        this.f = f;
        this.loss = loss;
        this.rows = rows;
        this.statistics = statistics;
    }

    static void categorical(
            MathOps b,
            PpoLoss loss,
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
        RlShapes.ppoCategorical(
                rows,
                actions,
                logits,
                values,
                taken,
                oldLogProbs,
                advantages,
                returns,
                oldValues,
                dLogits,
                dValues,
                statistics);
        try (Formula f = new Formula(b)) {
            PpoCompositions ppo = new PpoCompositions(b, f, loss, rows, statistics);
            DeviceArray logP = f.empty(logits.length());
            b.logSoftmax(rows, actions, logits, logP);
            DeviceArray p = f.map(UnaryOp.EXP, logP);
            DeviceArray possible = f.zip(BinaryOp.LESS, 0, p);
            DeviceArray pLogP = f.select(possible, f.zip(BinaryOp.MULTIPLY, p, logP), 0);
            DeviceArray entropy = f.map(UnaryOp.NEGATE, f.reduceRows(ReduceOp.SUM, rows, actions, pLogP));
            ppo.sum(PpoLoss.ENTROPY, entropy);

            DeviceArray logProb = RlCompositions.pick(f, rows, actions, logP, taken);
            DeviceArray dLogProb = ppo.policy(logProb, oldLogProbs, advantages);
            DeviceArray towards = f.zip(BinaryOp.SUBTRACT, RlCompositions.oneHot(f, rows, actions, taken), p);
            DeviceArray fromPolicy = f.zipRows(BinaryOp.MULTIPLY, rows, actions, towards, dLogProb);
            DeviceArray spread = f.zip(BinaryOp.ADD, pLogP, f.zipRows(BinaryOp.MULTIPLY, rows, actions, p, entropy));
            DeviceArray fromEntropy = f.zip(BinaryOp.MULTIPLY, spread, loss.entropyCoef());
            b.copy(ppo.weighted(f.zip(BinaryOp.ADD, fromPolicy, fromEntropy)), dLogits);
            ppo.value(values, returns, oldValues, dValues);
        }
    }

    static void gaussian(
            MathOps b,
            PpoLoss loss,
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
        RlShapes.ppoGaussian(
                rows,
                dim,
                mean,
                logStd,
                values,
                taken,
                oldLogProbs,
                advantages,
                returns,
                oldValues,
                dMean,
                dLogStd,
                dValues,
                statistics);
        try (Formula f = new Formula(b)) {
            PpoCompositions ppo = new PpoCompositions(b, f, loss, rows, statistics);
            DeviceArray reciprocalStd = f.map(UnaryOp.EXP, f.map(UnaryOp.NEGATE, logStd));
            DeviceArray z =
                    f.zipColumns(BinaryOp.MULTIPLY, rows, dim, f.zip(BinaryOp.SUBTRACT, taken, mean), reciprocalStd);
            DeviceArray perDimension = f.zip(BinaryOp.ADD, logStd, RlCompositions.HALF_LOG_2_PI + 0.5);
            ppo.sum(
                    PpoLoss.ENTROPY,
                    f.gather(new int[] {rows}, f.reduceRows(ReduceOp.SUM, 1, dim, perDimension), new int[] {0}));

            DeviceArray logProb = RlCompositions.normalLogProb(f, rows, dim, z, logStd);
            DeviceArray dLogProb = ppo.policy(logProb, oldLogProbs, advantages);
            DeviceArray dZ = f.zipRows(BinaryOp.MULTIPLY, rows, dim, z, dLogProb);
            b.copy(ppo.weighted(f.zipColumns(BinaryOp.MULTIPLY, rows, dim, dZ, reciprocalStd)), dMean);
            DeviceArray stretch = f.zip(BinaryOp.SUBTRACT, f.map(UnaryOp.SQUARE, z), 1);
            DeviceArray perRow = f.zip(
                    BinaryOp.SUBTRACT, f.zipRows(BinaryOp.MULTIPLY, rows, dim, stretch, dLogProb), loss.entropyCoef());
            b.reduce(ReduceOp.SUM, 1, rows, dim, ppo.weighted(perRow), dLogStd);
            ppo.value(values, returns, oldValues, dValues);
        }
    }

    /** Writes the statistics of the policy loss; returns its derivative by the log-probability, [rows]. */
    private DeviceArray policy(DeviceArray logProb, DeviceArray oldLogProb, DeviceArray advantage) {
        DeviceArray logRatio = f.zip(BinaryOp.SUBTRACT, logProb, oldLogProb);
        DeviceArray ratio = f.map(UnaryOp.EXP, logRatio);
        DeviceArray clamped = clamp(ratio, 1 - (double) loss.clip(), 1 + (double) loss.clip());
        DeviceArray cost = f.map(UnaryOp.NEGATE, advantage);
        DeviceArray plain = f.zip(BinaryOp.MULTIPLY, cost, ratio);
        DeviceArray bounded = f.zip(BinaryOp.MULTIPLY, cost, clamped);
        sum(PpoLoss.POLICY_LOSS, f.zip(BinaryOp.MAX, plain, bounded));
        DeviceArray deviation = f.zip(BinaryOp.SUBTRACT, ratio, 1);
        sum(PpoLoss.APPROXIMATE_KL, f.zip(BinaryOp.SUBTRACT, deviation, logRatio));
        sum(PpoLoss.CLIPPED, f.zip(BinaryOp.SUBTRACT, 1, f.zip(BinaryOp.EQUAL, ratio, clamped)));
        DeviceArray largest = f.reduceRows(ReduceOp.MAX, 1, rows, f.map(UnaryOp.ABS, deviation));
        b.copy(f.zip(BinaryOp.MAX, largest, 0), statistics.slice(PpoLoss.MAX_RATIO_DEVIATION, 1));
        return f.select(f.zip(BinaryOp.LESS_EQUAL, bounded, plain), plain, 0);
    }

    private void value(DeviceArray value, DeviceArray target, DeviceArray oldValue, DeviceArray dValue) {
        DeviceArray error = f.zip(BinaryOp.SUBTRACT, value, target);
        DeviceArray plain = halfSquare(error);
        DeviceArray gradient = error;
        if (loss.valueClip() > 0) {
            DeviceArray change = f.zip(BinaryOp.SUBTRACT, value, oldValue);
            DeviceArray limited = f.zip(BinaryOp.ADD, oldValue, clamp(change, -loss.valueClip(), loss.valueClip()));
            DeviceArray bounded = halfSquare(f.zip(BinaryOp.SUBTRACT, limited, target));
            DeviceArray inside = f.zip(BinaryOp.LESS_EQUAL, f.map(UnaryOp.ABS, change), loss.valueClip());
            DeviceArray moves = f.zip(BinaryOp.MAX, inside, f.zip(BinaryOp.LESS_EQUAL, bounded, plain));
            gradient = f.select(moves, error, 0);
            plain = f.zip(BinaryOp.MAX, plain, bounded);
        }
        sum(PpoLoss.VALUE_LOSS, plain);
        b.copy(f.zip(BinaryOp.MULTIPLY, gradient, (double) loss.rowWeight() * loss.valueCoef()), dValue);
    }

    private DeviceArray halfSquare(DeviceArray x) {
        return f.zip(BinaryOp.MULTIPLY, f.map(UnaryOp.SQUARE, x), 0.5);
    }

    private DeviceArray clamp(DeviceArray x, double low, double high) {
        return f.zip(BinaryOp.MAX, f.zip(BinaryOp.MIN, x, high), low);
    }

    private DeviceArray weighted(DeviceArray gradient) {
        return f.zip(BinaryOp.MULTIPLY, gradient, loss.rowWeight());
    }

    private void sum(int statistic, DeviceArray perRow) {
        b.reduce(ReduceOp.SUM, 1, rows, 1, perRow, statistics.slice(statistic, 1));
    }
}
