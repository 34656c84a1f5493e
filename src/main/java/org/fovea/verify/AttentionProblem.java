// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * An attention with random numbers on both backends, and the checks of all that follows from it. A result may be off by {@link
 * #ROUNDINGS} times what running error analysis of the textbook's formulas allows: fused kernels round as often, elsewhere.
 */
public final class AttentionProblem {
    private static final double ROUNDINGS = 4;

    private final Pair p;
    private final AttentionShape shape;
    private final AttentionOperands operands;

    /** Shape, settings and optional operands. */
    public final AttentionFeatures features;

    /** Query, key, value, bias and sink. */
    public final AttentionPlane<Pair.Both> inputs;

    public final Pair.Both output;
    public final Pair.Both logSumExp;
    private @Nullable AttentionPlane<Pair.Both> given;
    private @Nullable AttentionPlane<Pair.Both> tangents;
    private final DType type;
    private final DType wide;
    private double tolerance = Double.NaN;
    private boolean computed;

    /** @param seed of the random numbers */
    public AttentionProblem(Pair p, AttentionFeatures features, long seed) {
        this(p, features, seed, false);
    }

    /**
     * @param seed of the random numbers
     * @param inEighths whether these are multiples of 1/8, which every type holds exactly
     */
    public AttentionProblem(Pair p, AttentionFeatures features, long seed, boolean inEighths) {
        this.p = p;
        this.features = features;
        shape = features.shape();
        operands = new AttentionOperands(p, features, seed, inEighths);
        inputs = operands.inputs;
        output = operands.output;
        logSumExp = operands.logSumExp;
        type = operands.type;
        wide = operands.wide;
    }

    /** The arrays that are added to scores or hide keys. */
    public AttentionMask<Pair.Both> mask() {
        return operands.call.mask();
    }

    /** Gradients of output and log-sum-exp, which gradients of the inputs start from. */
    public AttentionPlane<Pair.Both> given() {
        given = given == null ? operands.normal(1, operands.hidden) : given;
        return given;
    }

    /** A direction for the inputs and for {@link #given}. */
    public AttentionPlane<Pair.Both> tangents() {
        given(); // Drawn first, whichever is asked for first.
        tangents = tangents == null ? operands.normal(1, operands.hidden) : tangents;
        return tangents;
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

    private AttentionPlane<Pair.Both> outputs() {
        return operands.outputs();
    }

    /**
     * From now on errors may be that share of 1 and of a result's largest number, or of a log-sum-exp itself, besides what
     * comes of rounding the tangents of scores: for scores that are exact, or of which the rounding does not matter, where
     * running error analysis allows anything. A share of 0 is for the same bits.
     */
    public AttentionProblem allowing(double share) {
        tolerance = share;
        return this;
    }

    private void run(Consumer<Backend> operation) {
        if (Double.isNaN(tolerance)) {
            p.runWithBounds(type, false, operation);
        } else if (tolerance > 0) {
            p.runWithBounds(type, true, operation);
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
        double[] ofTangents = tolerance > 0 ? result.limits(unit() / p.unit()) : new double[sizes.length];
        boolean each = role.isEmpty() && name.equals("logSumExp");
        Arrays.setAll(sizes, i -> {
            double size = 1 + (each ? Math.abs(sizes[i]) : largest);
            return Double.isFinite(sizes[i]) ? tolerance / p.unit() * size + ofTangents[i] : 0;
        });
        result.isWithin(sizes, what);
    }

    private double unit() {
        return type == DType.F64 ? 0x1p-53 : p.unit();
    }

    /** On the backend under test alone: the reference computes afresh all that it needs. */
    public void forward() {
        computed = true;
        p.tested.attention().forward(on(p.tested), outputs(p.tested));
    }

    /** What starts from the outputs needs them once; a second forward would hide that the first was wrong. */
    private void requireOutputs() {
        if (!computed) {
            forward();
        }
    }

    private void forwardOnBoth() {
        computed = true;
        run(b -> b.attention().forward(on(b), outputs(b)));
    }

    /** Of a forward of its own, on both. */
    public void checkForward() {
        forwardOnBoth();
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

    /**
     * Gradients of the inputs.
     *
     * @param all whether the gradient of the log-sum-exp is given, and those of bias and sink are asked for
     */
    public AttentionPlane<Pair.Both> backward(boolean all) {
        requireOutputs();
        AttentionPlane<Pair.Both> gradients = gradients(outputs(), all);
        AttentionPlane<Pair.Both> outputGradients = outputGradients(all);
        run(b -> b.attention().backward(on(b), outputs(b), on(outputGradients, b), on(gradients, b)));
        return gradients;
    }

    private AttentionPlane<Pair.Both> outputGradients(boolean all) {
        return AttentionPlane.outputs(given().output(), all ? given().logSumExp() : null);
    }

    public void checkBackward() {
        checkBackward(true);
        checkBackward(false);
    }

    /**
     * {@link #backward(boolean)}, compared.
     *
     * @param all whether the gradient of the log-sum-exp is given, and those of bias and sink are asked for
     */
    public void checkBackward(boolean all) {
        check(backward(all), all ? "gradient of " : "gradient without dLogSumExp of ");
    }

    /** Tangents of output and log-sum-exp. */
    public AttentionPlane<Pair.Both> tangent() {
        requireOutputs();
        AttentionPlane<Pair.Both> written = outputs().ofOutputs();
        AttentionPlane<Pair.Both> ofInputs = tangents().ofInputs();
        run(b -> b.attention().tangent(on(b), outputs(b), on(ofInputs, b), on(written, b)));
        return written;
    }

    public void checkTangent() {
        check(tangent(), "tangent of ");
    }

    /** The optional operands of a double backward. */
    public enum Given {
        EVERYTHING,
        GRADIENTS_OF_BOTH_OUTPUTS,
        GRADIENT_OF_OUTPUT
    }

    /** Tangents of the gradients that are asked for, and of both outputs. */
    public AttentionPlane<Pair.Both> backwardTangent(Given operandsGiven) {
        requireOutputs();
        boolean all = operandsGiven == Given.EVERYTHING;
        AttentionPlane<Pair.Both> outputs = outputs();
        AttentionPlane<Pair.Both> written = gradients(outputs, all).withOutputs(outputs.output(), outputs.logSumExp());
        AttentionPlane<Pair.Both> moved = all ? tangents() : gradients(tangents(), false);
        AttentionPlane<Pair.Both> outputGradients = outputGradients(operandsGiven != Given.GRADIENT_OF_OUTPUT);
        run(b ->
                b.attention().backwardTangent(on(b), outputs(b), on(outputGradients, b), on(moved, b), on(written, b)));
        return written;
    }

    /** The double backward. */
    public void checkBackwardTangent() {
        for (Given each : Given.values()) {
            checkBackwardTangent(each);
        }
    }

    public void checkBackwardTangent(Given operandsGiven) {
        check(backwardTangent(operandsGiven), "tangent with " + operandsGiven + " of ");
    }

    /** The double backward and the series over one infinitesimal, on the backend under test, are the same. */
    public void checkAgainstSeries() {
        AttentionPlane<Pair.Both> byHand = backwardTangent(Given.EVERYTHING);
        AttentionPlane<Pair.Both> bySeries = outputs();
        AttentionPlane<Pair.Both> at = given();
        AttentionPlane<Pair.Both> along = tangents();
        run(b -> b.attention()
                .series(
                        on(b),
                        SeriesRing.infinitesimals(1),
                        List.of(on(at, b), on(along, b)),
                        List.of(AttentionPlane.none(), on(bySeries, b))));
        List<Pair.Both> left = byHand.present();
        List<Pair.Both> right = bySeries.present();
        for (int part = 0; part < left.size(); part++) {
            left.get(part)
                    .isLike(right.get(part), ROUNDINGS, unit(), "series against hand-written order of " + features);
        }
    }

    /** The results of each operation that has kernels of its own, by what they are: {@code gradient of query}. */
    public Map<String, Pair.Both> everyOrder() {
        Map<String, Pair.Both> results = new LinkedHashMap<>();
        forwardOnBoth();
        put(results, "", AttentionPlane.outputs(output, logSumExp));
        put(results, "gradient of ", backward(true));
        put(results, "tangent of ", tangent());
        put(results, "tangent with everything of ", backwardTangent(Given.EVERYTHING));
        return results;
    }

    private static void put(Map<String, Pair.Both> results, String role, AttentionPlane<Pair.Both> plane) {
        plane.<Object>mapNamed((name, result) -> results.put(role + name, result));
    }

    /** Everything but series, within what rounding allows. */
    public void checkEveryOrder() {
        checkForward();
        checkBackward();
        checkTangent();
        checkBackwardTangent();
        checkWeights();
    }

    /** Every order is the same bits on both backends. */
    public void checkSameBits() {
        allowing(0);
        everyOrder().forEach((name, x) -> p.requireEqual(name + " of " + features, x.actual(), x.expected()));
    }

    /** Every order is the same bits each time. */
    public void checkRepeats() {
        allowing(0);
        Map<String, double[]> first = new LinkedHashMap<>();
        for (int repeat = 0; repeat < 6; repeat++) {
            everyOrder().forEach((name, x) -> {
                double[] found = x.actual();
                p.requireEqual(name + " run again", found, first.getOrDefault(name, found));
                first.putIfAbsent(name, found);
            });
        }
    }

    /**
     * A result for each plane. Planes get smaller with their index, as coefficients of a convergent series do; of those from 2
     * on, a part is missing.
     *
     * @param gradients whether those of the inputs are asked for, besides the outputs
     */
    public List<AttentionPlane<Pair.Both>> series(SeriesRing ring, boolean gradients) {
        List<AttentionPlane<Pair.Both>> arguments = new ArrayList<>();
        List<AttentionPlane<Pair.Both>> results = new ArrayList<>();
        for (int plane = 0; plane < ring.planes(); plane++) {
            arguments.add(
                    plane == 0
                            ? given()
                            : plane == 1
                                    ? tangents()
                                    : without(plane % 7, operands.normal(Math.pow(0.5, plane - 1), operands.hidden)));
            results.add(gradients ? outputs() : outputs().ofOutputs());
        }
        run(b -> b.attention()
                .series(
                        on(b),
                        ring,
                        arguments.stream().map(x -> on(x, b)).toList(),
                        results.stream().map(x -> on(x, b)).toList()));
        return results;
    }

    public void checkSeries(SeriesRing ring) {
        checkSeries(ring, true);
    }

    /**
     * {@link #series}, compared.
     *
     * @param gradients whether those of the inputs are asked for, besides the outputs
     */
    public void checkSeries(SeriesRing ring, boolean gradients) {
        List<AttentionPlane<Pair.Both>> results = series(ring, gradients);
        for (int plane = 0; plane < ring.planes(); plane++) {
            check(results.get(plane), "plane " + plane + " of " + ring + ", ");
        }
    }

    private static AttentionPlane<Pair.Both> without(int part, AttentionPlane<Pair.Both> plane) {
        Pair.Both missing = plane.parts().get(part);
        return plane.map(x -> x == missing ? null : x);
    }

    /** Scores or probabilities of queries from {@code first} on. */
    public Pair.Both weights(ScoreStage stage, int first, int rows) {
        requireOutputs();
        Pair.Both weights = p.output(wide, (long) shape.batch() * shape.heads() * rows * shape.keys());
        run(b -> b.attention().weights(on(b), outputs(b), stage, first, weights.on(b)));
        return weights;
    }

    /** Some of the rows at each stage, and none. */
    public void checkWeights() {
        int first = shape.queries() / 3;
        int asked = (shape.queries() - first + 1) / 2;
        for (ScoreStage stage : ScoreStage.values()) {
            boolean ofHidden = stage.compareTo(ScoreStage.MASKED) < 0;
            if (!(features.hides() && ofHidden)) {
                check(weights(stage, first, asked), "weights", stage + " ");
            }
        }
        weights(ScoreStage.SOFTMAX, first, 0);
    }
}
