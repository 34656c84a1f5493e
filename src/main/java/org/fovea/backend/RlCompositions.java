package org.fovea.backend;

/** Sampling, advantages and the optimiser from primitives. The PPO losses are in {@link PpoCompositions}. */
final class RlCompositions {

    /** Half the logarithm of 2 pi: what a normal density is divided by. */
    static final double HALF_LOG_2_PI = Math.log(2 * Math.PI) / 2;

    private RlCompositions() {}

    static void sampleCategorical(
            MathOps b,
            int rows,
            int actions,
            DeviceArray logits,
            Draw draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        RlShapes.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
        try (Formula f = new Formula(b)) {
            DeviceArray logP = f.empty(logits.length());
            b.logSoftmax(rows, actions, logits, logP);
            DeviceArray p = f.map(UnaryOp.EXP, logP);
            DeviceArray action = f.range(actions);
            DeviceArray upTo = f.zip(
                    BinaryOp.LESS_EQUAL, new int[] {actions, actions}, action, new int[] {1, 0}, action, new int[] {0, 1
                    });
            DeviceArray cumulative = f.empty(p.length());
            b.gemm(Gemm.dense(false, false, rows, actions, actions), p, upTo, cumulative);
            DeviceArray uniform = f.empty(rows);
            b.uniform(draw, uniform);

            // The first possible action whose cumulative probability reaches the number; if rounding leaves none, the
            // last possible one. Written as the largest of (actions - index), since folds have no minimum.
            int[] shape = {rows, actions};
            DeviceArray possible = f.zip(BinaryOp.LESS, 0, p);
            DeviceArray reached =
                    f.zip(BinaryOp.LESS_EQUAL, shape, uniform, new int[] {1, 0}, cumulative, new int[] {actions, 1});
            DeviceArray eligible = f.zip(BinaryOp.MULTIPLY, possible, reached);
            DeviceArray fromEnd = f.zip(BinaryOp.SUBTRACT, actions, action);
            DeviceArray firstReached = f.zip(
                    BinaryOp.SUBTRACT,
                    actions,
                    f.reduceRows(
                            ReduceOp.MAX,
                            rows,
                            actions,
                            f.zipColumns(BinaryOp.MULTIPLY, rows, actions, eligible, fromEnd)));
            DeviceArray lastPossible = f.reduceRows(
                    ReduceOp.MAX, rows, actions, f.zipColumns(BinaryOp.MULTIPLY, rows, actions, possible, action));
            DeviceArray chosen = f.zip(BinaryOp.MIN, firstReached, lastPossible);
            storeIntegers(b, chosen, sampled);
            b.copy(pick(f, rows, actions, logP, sampled), logProbs);
        }
    }

    /** {@code x[row, indices[row]]}; the other elements may be infinite. */
    static DeviceArray pick(Formula f, int rows, int width, DeviceArray x, DeviceArray indices) {
        return f.reduceRows(ReduceOp.SUM, rows, width, f.select(oneHot(f, rows, width, indices), x, 0));
    }

    /** [rows, width]: 1 at each row's index. */
    static DeviceArray oneHot(Formula f, int rows, int width, DeviceArray indices) {
        return f.zip(
                BinaryOp.EQUAL, new int[] {rows, width}, indices, new int[] {1, 0}, f.range(width), new int[] {0, 1});
    }

    /** No primitive turns floating numbers into integers, so these few go by the host. */
    private static void storeIntegers(MathOps b, DeviceArray x, DeviceArray y) {
        double[] numbers = new double[Math.toIntExact(x.length())];
        b.download(x, numbers, 0);
        int[] integers = new int[numbers.length];
        for (int i = 0; i < integers.length; i++) {
            integers[i] = (int) numbers[i];
        }
        b.upload(integers, 0, y);
    }

    static void argmax(MathOps b, int rows, int width, DeviceArray x, DeviceArray y) {
        RlShapes.argmax(rows, width, x, y);
        try (Formula f = new Formula(b)) {
            DeviceArray isMax = f.zipRows(BinaryOp.EQUAL, rows, width, x, f.reduceRows(ReduceOp.MAX, rows, width, x));
            DeviceArray fromEnd = f.zip(BinaryOp.SUBTRACT, width, f.range(width));
            DeviceArray best = f.reduceRows(
                    ReduceOp.MAX, rows, width, f.zipColumns(BinaryOp.MULTIPLY, rows, width, isMax, fromEnd));
            // A row of NaN has no maximum; its index must still be one of the row.
            storeIntegers(b, f.zip(BinaryOp.MIN, f.zip(BinaryOp.SUBTRACT, width, best), width - 1), y);
        }
    }

    static void sampleGaussian(
            MathOps b,
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            Draw draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        RlShapes.sampleGaussian(rows, dim, mean, logStd, draw, sampled, logProbs);
        try (Formula f = new Formula(b)) {
            int elements = rows * dim;
            DeviceArray pairs = f.empty(2L * elements);
            b.uniform(new Draw(draw.seed(), draw.stream(), 2 * draw.first() * dim, draw.counter()), pairs);
            DeviceArray transposed = f.gather(new int[] {2, elements}, pairs, new int[] {1, 2});
            DeviceArray radius = f.map(
                    UnaryOp.SQRT, f.zip(BinaryOp.MULTIPLY, f.map(UnaryOp.LOG, transposed.slice(0, elements)), -2));
            DeviceArray angle = f.zip(BinaryOp.MULTIPLY, transposed.slice(elements, elements), 2 * Math.PI);
            DeviceArray normal = f.zip(BinaryOp.MULTIPLY, radius, f.map(UnaryOp.COS, angle));
            DeviceArray scaled = f.zipColumns(BinaryOp.MULTIPLY, rows, dim, normal, f.map(UnaryOp.EXP, logStd));
            b.copy(f.zip(BinaryOp.ADD, mean, scaled), sampled);
            b.copy(normalLogProb(f, rows, dim, normal, logStd), logProbs);
        }
    }

    /** Sum over the dimensions of the log density, from z = (x - mean) / std, [rows, dim]. */
    static DeviceArray normalLogProb(Formula f, int rows, int dim, DeviceArray z, DeviceArray logStd) {
        DeviceArray distance = f.zip(BinaryOp.MULTIPLY, f.map(UnaryOp.SQUARE, z), -0.5);
        DeviceArray normaliser = f.zip(BinaryOp.ADD, logStd, HALF_LOG_2_PI);
        return f.reduceRows(ReduceOp.SUM, rows, dim, f.zipColumns(BinaryOp.SUBTRACT, rows, dim, distance, normaliser));
    }

    static void advantages(
            MathOps b,
            int environments,
            int steps,
            float gamma,
            float lambda,
            DeviceArray rewards,
            DeviceArray values,
            DeviceArray nextValues,
            DeviceArray done,
            DeviceArray advantages,
            DeviceArray returns) {
        RlShapes.advantages(environments, steps, rewards, values, nextValues, done, advantages, returns);
        if (environments == 0) {
            return;
        }
        try (Formula f = new Formula(b)) {
            DeviceArray discounted = f.zip(BinaryOp.MULTIPLY, nextValues, gamma);
            DeviceArray delta = f.zip(BinaryOp.SUBTRACT, f.zip(BinaryOp.ADD, rewards, discounted), values);
            DeviceArray decay = f.zip(BinaryOp.MULTIPLY, f.zip(BinaryOp.SUBTRACT, 1, done), (double) gamma * lambda);
            int[] column = {environments};
            int[] strided = {steps};
            int[] dense = {1};
            DeviceArray carried = f.constant(0, environments);
            DeviceArray decayed = f.empty(environments);
            for (int t = steps - 1; t >= 0; t--) {
                long rest = delta.length() - t;
                b.zip(BinaryOp.MULTIPLY, column, decay.slice(t, rest), strided, carried, dense, decayed);
                b.zip(BinaryOp.ADD, column, delta.slice(t, rest), strided, decayed, dense, carried);
                b.arrange(column, carried, dense, advantages.slice(t, rest), strided);
            }
            b.copy(f.zip(BinaryOp.ADD, advantages, values), returns);
        }
    }

    static void adam(
            MathOps b,
            AdamSettings settings,
            DeviceArray parameters,
            DeviceArray gradients,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state) {
        RlShapes.adam(parameters, gradients, firstMoment, secondMoment, state);
        int length = Math.toIntExact(parameters.length());
        try (Formula f = new Formula(b)) {
            DeviceArray learningRate = state.slice(AdamSettings.LEARNING_RATE, 1);
            DeviceArray step = state.slice(AdamSettings.STEP, 1);
            DeviceArray norm = state.slice(AdamSettings.GRADIENT_NORM, 1);
            DeviceArray skip = state.slice(AdamSettings.SKIP, 1);
            DeviceArray asked = f.zip(BinaryOp.EQUAL, skip, 0);

            DeviceArray newNorm =
                    f.map(UnaryOp.SQRT, f.reduceRows(ReduceOp.SUM, 1, length, f.map(UnaryOp.SQUARE, gradients)));
            DeviceArray finite = f.zip(BinaryOp.LESS, newNorm, Double.POSITIVE_INFINITY);
            DeviceArray active = f.zip(BinaryOp.MULTIPLY, asked, finite);
            DeviceArray clips = f.zip(BinaryOp.LESS, settings.maxGradNorm(), newNorm);
            DeviceArray scale = f.select(clips, f.zip(BinaryOp.DIVIDE, settings.maxGradNorm(), newNorm), 1);
            DeviceArray gradient = f.zipRows(BinaryOp.MULTIPLY, 1, length, gradients, scale);
            DeviceArray newStep = f.zip(BinaryOp.ADD, step, 1);

            DeviceArray newFirst = average(f, settings.beta1(), firstMoment, gradient);
            DeviceArray newSecond = average(f, settings.beta2(), secondMoment, f.map(UnaryOp.SQUARE, gradient));
            DeviceArray mean =
                    f.zipRows(BinaryOp.DIVIDE, 1, length, newFirst, oneMinusPower(f, settings.beta1(), newStep));
            DeviceArray uncentred =
                    f.zipRows(BinaryOp.DIVIDE, 1, length, newSecond, oneMinusPower(f, settings.beta2(), newStep));
            DeviceArray divisor = f.zip(BinaryOp.ADD, f.map(UnaryOp.SQRT, uncentred), settings.epsilon());
            DeviceArray change =
                    f.zipRows(BinaryOp.MULTIPLY, 1, length, f.zip(BinaryOp.DIVIDE, mean, divisor), learningRate);

            DeviceArray activeElements = f.gather(new int[] {length}, active, new int[] {0});
            b.select(activeElements, f.zip(BinaryOp.SUBTRACT, parameters, change), parameters, parameters);
            b.select(activeElements, newFirst, firstMoment, firstMoment);
            b.select(activeElements, newSecond, secondMoment, secondMoment);
            b.select(active, newStep, step, step);
            b.select(asked, newNorm, norm, norm);
            b.select(asked, f.zip(BinaryOp.EQUAL, finite, 0), skip, skip);
        }
    }

    /** {@code beta old + (1 - beta) sample} */
    private static DeviceArray average(Formula f, double beta, DeviceArray old, DeviceArray sample) {
        return f.zip(BinaryOp.ADD, f.zip(BinaryOp.MULTIPLY, old, beta), f.zip(BinaryOp.MULTIPLY, sample, 1 - beta));
    }

    /**
     * {@code 1 - beta^step}. With {@code t = tanh(step log(beta) / 2)} that is {@code -2t / (1 - t)}, which keeps its
     * digits where beta is near 1; the plain form in float32 would be off by 1e-4 at the first step.
     */
    private static DeviceArray oneMinusPower(Formula f, double beta, DeviceArray step) {
        DeviceArray t = f.map(UnaryOp.TANH, f.zip(BinaryOp.MULTIPLY, step, Math.log(beta) / 2));
        return f.zip(BinaryOp.DIVIDE, f.zip(BinaryOp.MULTIPLY, t, -2), f.zip(BinaryOp.SUBTRACT, 1, t));
    }
}
