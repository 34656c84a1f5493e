// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/**
 * An attention with random numbers on both backends, and the checks of all that follows from it. A result may be off by {@link
 * #ROUNDINGS} times what running error analysis of the textbook's formulas allows: fused kernels round as often, elsewhere.
 */
public final class AttentionProblem {
    private static final double ROUNDINGS = 4;

    /** Scores from here on are multiples of something that float32 has digits for, where they are said to be exact. */
    private static final double LARGE = 64;

    private final Pair p;
    private final AttentionShape shape;
    private final AttentionOperands operands;

    /** Shape, settings and optional operands. */
    public final AttentionFeatures features;

    /** Query, key, value, bias and sink. */
    public final AttentionPlane<Pair.Both> inputs;

    public final Pair.Both output;
    public final Pair.Both logSumExp;
    private final DType type;
    private final DType wide;
    private double tolerance = Double.NaN;
    private double exact = Double.POSITIVE_INFINITY;

    /** @param seed of the random numbers */
    public AttentionProblem(Pair p, AttentionFeatures features, long seed) {
        this.p = p;
        this.features = features;
        shape = features.shape();
        operands = new AttentionOperands(p, features, seed);
        inputs = operands.inputs;
        output = operands.output;
        logSumExp = operands.logSumExp;
        type = operands.type;
        wide = operands.wide;
    }

    /** Terms of a mask. */
    public Pair.Both mask() {
        return operands.mask();
    }

    /** The call on one of the backends. */
    public AttentionCall<DeviceArray> on(Backend b) {
        return operands.on(b);
    }

    private static AttentionPlane<DeviceArray> on(AttentionPlane<Pair.Both> plane, Backend b) {
        return plane.map(x -> x.on(b));
    }

    private AttentionOutputs<DeviceArray> outputs(Backend b) {
        return operands.outputs(b);
    }

    private AttentionPlane<Pair.Both> normal() {
        return operands.normal(1, operands.hidden);
    }

    private AttentionPlane<Pair.Both> outputs() {
        return operands.outputs();
    }

    /**
     * From now on errors may be that share of 1 and of a result's largest number, or of a log-sum-exp itself: for scores that
     * are exact, or of which the rounding does not matter, where running error analysis allows anything.
     */
    public AttentionProblem allowing(double share) {
        tolerance = share;
        operands.inEighths = true;
        return this;
    }

    /**
     * From now on scores that are large are taken to be exact, as are multiples of 1/8 in float32, or numbers next to which
     * all that is added to them is lost in float64 too: what comes of them may be off by its own roundings alone, those of
     * tangents of scores among them.
     */
    public AttentionProblem withExactScores() {
        exact = LARGE;
        return this;
    }

    private void run(Consumer<Backend> operation) {
        if (Double.isNaN(tolerance)) {
            p.runWithBounds(type, exact, operation);
        } else {
            p.run(operation);
        }
    }

    private void check(AttentionPlane<Pair.Both> results, String role) {
        results.<Object>mapNamed((name, result) -> {
            check(result, name, role);
            return result;
        });
    }

    private void check(Pair.Both result, String name, String role) {
        String what = role + name + " of " + features;
        if (Double.isNaN(tolerance)) {
            result.isWithinBounds(ROUNDINGS, unit(), what);
            return;
        }
        double[] sizes = result.expected();
        double largest = Arrays.stream(sizes)
                .filter(Double::isFinite)
                .map(Math::abs)
                .max()
                .orElse(0);
        boolean each = role.isEmpty() && name.equals("logSumExp");
        Arrays.setAll(sizes, i -> {
            double size = 1 + (each ? Math.abs(sizes[i]) : largest);
            return Double.isFinite(sizes[i]) ? tolerance / p.unit() * size : 0;
        });
        result.isWithin(sizes, what);
    }

    private double unit() {
        return type == DType.F64 ? 0x1p-53 : p.unit();
    }

    public void forward() {
        run(b -> b.attention().forward(on(b), outputs(b)));
    }

    /** After a forward, as all checks. */
    public void checkForward() {
        check(output, "output", "");
        check(logSumExp, "logSumExp", "");
    }

    /** The state is the backend's own, and right where the gradient that starts from it is. */
    public void checkState() {
        if (stateSize() > 0) {
            checkBackward();
        }
    }

    /** Its size is a function of what is asked, not of numbers. */
    public void checkStateSize() {
        long size = stateSize();
        p.require(
                size >= 0 && size == stateSize(),
                "attention.stateSize of " + features + " is " + size + ", expected 0 or more, always the same");
        checkState();
    }

    private long stateSize() {
        return p.tested.attention().stateSize(on(p.tested));
    }

    /** Keeps only the gradients of query, key and value, and of bias and sink if asked for. */
    private static AttentionPlane<Pair.Both> gradients(AttentionPlane<Pair.Both> all, boolean withTerms) {
        return withTerms ? all.ofInputs() : AttentionPlane.inputs(all.query(), all.key(), all.value());
    }

    public void checkBackward() {
        checkBackward(true);
        checkBackward(false);
    }

    /** @param all whether the gradient of the log-sum-exp is given, and those of bias and sink are asked for */
    void checkBackward(boolean all) {
        AttentionPlane<Pair.Both> given = normal();
        AttentionPlane<Pair.Both> gradients = gradients(outputs(), all);
        run(b -> b.attention()
                .backward(
                        on(b),
                        outputs(b),
                        on(AttentionPlane.outputs(given.output(), all ? given.logSumExp() : null), b),
                        on(gradients, b)));
        check(gradients, all ? "gradient of " : "gradient without dLogSumExp of ");
    }

    public void checkTangent() {
        AttentionPlane<Pair.Both> tangents = normal();
        AttentionPlane<Pair.Both> written = outputs().ofOutputs();
        run(b -> b.attention().tangent(on(b), outputs(b), on(tangents.ofInputs(), b), on(written, b)));
        check(written, "tangent of ");
    }

    /** The optional operands of a double backward. */
    enum Given {
        EVERYTHING,
        GRADIENTS_OF_BOTH_OUTPUTS,
        GRADIENT_OF_OUTPUT
    }

    /** The double backward. */
    public void checkBackwardTangent() {
        for (Given given : Given.values()) {
            checkBackwardTangent(given);
        }
    }

    void checkBackwardTangent(Given given) {
        boolean all = given == Given.EVERYTHING;
        AttentionPlane<Pair.Both> value = normal();
        AttentionPlane<Pair.Both> random = normal();
        AttentionPlane<Pair.Both> tangents = all ? random : gradients(random, false);
        AttentionPlane<Pair.Both> written = outputs();
        run(b -> backwardTangent(b, value, tangents, written, given));
        check(all ? written : gradients(written, false), "tangent with " + given + " of ");
    }

    /** The double backward and the series over one infinitesimal, on the backend under test, are the same. */
    public void checkAgainstSeries() {
        AttentionPlane<Pair.Both> value = normal();
        AttentionPlane<Pair.Both> tangents = normal();
        AttentionPlane<Pair.Both> byHand = outputs();
        AttentionPlane<Pair.Both> bySeries = outputs();
        run(b -> backwardTangent(b, value, tangents, byHand, Given.EVERYTHING));
        run(b -> b.attention()
                .series(
                        on(b),
                        SeriesRing.infinitesimals(1),
                        List.of(on(value, b), on(tangents, b)),
                        List.of(AttentionPlane.none(), on(bySeries, b))));
        List<Pair.Both> left = byHand.present();
        List<Pair.Both> right = bySeries.present();
        for (int part = 0; part < left.size(); part++) {
            left.get(part)
                    .isLike(right.get(part), ROUNDINGS, unit(), "series against hand-written order of " + features);
        }
    }

    private void backwardTangent(
            Backend b,
            AttentionPlane<Pair.Both> value,
            AttentionPlane<Pair.Both> tangents,
            AttentionPlane<Pair.Both> written,
            Given given) {
        boolean withLogSumExp = given != Given.GRADIENT_OF_OUTPUT;
        b.attention()
                .backwardTangent(
                        on(b),
                        outputs(b),
                        on(AttentionPlane.outputs(value.output(), withLogSumExp ? value.logSumExp() : null), b),
                        on(tangents, b),
                        on(
                                gradients(written, given == Given.EVERYTHING)
                                        .withOutputs(written.output(), written.logSumExp()),
                                b));
    }

    /** Output and gradients are the same bits each time. */
    public void checkRepeats() {
        AttentionPlane<Pair.Both> given = normal().ofOutputs();
        AttentionPlane<Pair.Both> tangents = normal();
        AttentionPlane<Pair.Both> gradients = outputs().ofInputs();
        AttentionPlane<Pair.Both> written = outputs();
        List<double[]> first = List.of();
        for (int repeat = 0; repeat < 6; repeat++) {
            forward();
            p.run(b -> b.attention().backward(on(b), outputs(b), on(given, b), on(gradients, b)));
            p.run(b -> backwardTangent(b, given, tangents, written, Given.EVERYTHING));
            List<double[]> found = Stream.of(List.of(output, logSumExp), gradients.present(), written.present())
                    .flatMap(List::stream)
                    .map(Pair.Both::actual)
                    .toList();
            for (int i = 0; i < first.size(); i++) {
                p.requireEqual("result " + i + " of run " + repeat, found.get(i), first.get(i));
            }
            first = found;
        }
    }

    /** Planes get smaller with their index, as coefficients of a convergent series do. */
    public void checkSeries(SeriesRing ring) {
        List<AttentionPlane<Pair.Both>> arguments = new ArrayList<>();
        List<AttentionPlane<Pair.Both>> results = new ArrayList<>();
        for (int plane = 0; plane < ring.planes(); plane++) {
            arguments.add(operands.normal(plane == 0 ? 1 : Math.pow(0.5, plane - 1), operands.hidden));
            results.add(outputs());
        }
        run(b -> b.attention()
                .series(
                        on(b),
                        ring,
                        arguments.stream().map(x -> on(x, b)).toList(),
                        results.stream().map(x -> on(x, b)).toList()));
        for (int plane = 0; plane < ring.planes(); plane++) {
            check(results.get(plane), "plane " + plane + " of " + ring + ", ");
        }
    }

    /** Some of the rows at each stage. */
    public void checkWeights() {
        int first = shape.queries() / 3;
        int asked = (shape.queries() - first + 1) / 2;
        for (ScoreStage stage : ScoreStage.values()) {
            boolean ofHidden = stage.compareTo(ScoreStage.MASKED) < 0;
            if (features.hides() && ofHidden) {
                continue;
            }
            Pair.Both weights = p.output(wide, (long) shape.batch() * shape.heads() * asked * shape.keys());
            run(b -> b.attention().weights(on(b), outputs(b), stage, first, weights.on(b)));
            check(weights, "weights", stage + " ");
        }
    }
}
