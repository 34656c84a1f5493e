package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
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

    /** What is asked of it. */
    public final AttentionFeatures features;

    private final DType type;
    private final DType wide;
    private final Random random;
    private final HiddenPlaces hidden;

    /** Query, key, value, bias and sink. */
    public final AttentionPlane<Pair.Both> inputs;

    private final AttentionCall<Pair.Both> call;

    /** What the forward gives. */
    public final Pair.Both output;

    /** What the forward gives beside. */
    public final Pair.Both logSumExp;

    private final Pair.Outputs outputs;

    /** @param seed of the random numbers */
    public AttentionProblem(Pair p, AttentionFeatures features, long seed) {
        this.p = p;
        this.features = features;
        shape = features.shape();
        type = features.type() == null ? p.tested.memory().floatType() : features.type();
        wide = type.isHalf() ? p.tested.memory().floatType() : type;
        random = new Random(seed);
        AttentionMask<Pair.Both> mask = new AttentionMask<>(
                features.mask() == AttentionFeatures.NONE
                        ? null
                        : scoreBias(features.mask(), ScoreBias.BY_PAIR, p.floats(wide, hiding(size(features.mask())))),
                features.alibi() ? p.floats(wide, slopes()) : null,
                features.segments() ? p.ints(segments(shape.queries())) : null,
                features.segments() ? p.ints(segments(shape.keys())) : null,
                ints(features.lengths()),
                ints(features.querySequences()),
                ints(features.keySequences()));
        output = p.output(type, shape.outputSize());
        logSumExp = p.output(wide, shape.logSumExpSize());
        outputs = p.new Outputs(output, logSumExp);
        inputs = normal(1, HiddenPlaces.NOTHING);
        call = AttentionCall.of(
                        shape,
                        features.spec(),
                        Objects.requireNonNull(inputs.query()),
                        Objects.requireNonNull(inputs.key()),
                        Objects.requireNonNull(inputs.value()))
                .withBias(inputs.bias() == null ? null : scoreBias(features.bias(), features.reach(), inputs.bias()))
                .withSink(inputs.sink())
                .withMask(mask);
        if (features.spec().similarity() == AttentionSpec.Similarity.COSINE) {
            addZeroRow(call.query());
            addZeroRow(call.key());
        }
        hidden = features.hides() ? new HiddenPlaces(features, masked()) : HiddenPlaces.NOTHING;
        if (features.hides()) {
            hide();
        }
    }

    /** Where the cosine is 0 by decree. */
    private void addZeroRow(Pair.Both rows) {
        double[] x = rows.expected();
        if (x.length > shape.headDim()) {
            Arrays.fill(x, shape.headDim(), 2 * shape.headDim(), 0);
            rows.upload(x);
        }
    }

    private void hide() {
        upload(call.query(), hidden::query);
        upload(call.key(), hidden::key);
        upload(call.value(), hidden::value);
        upload(inputs.bias(), hidden::bias);
        upload(call.mask().scores() == null ? null : call.mask().scores().array(), hidden::mask);
    }

    private static void upload(Pair.@Nullable Both array, UnaryOperator<double[]> change) {
        if (array != null) {
            array.upload(change.apply(array.expected()));
        }
    }

    private int size(int axes) {
        return IntStream.of(features.extents(axes)).reduce(1, (a, b) -> a * b);
    }

    private double[] gaussians(long length, double scale) {
        double[] x = new double[(int) length];
        Arrays.setAll(x, i -> scale * random.nextGaussian());
        return x;
    }

    private double[] hiding(int length) {
        double[] terms = gaussians(length, 1);
        for (int i = 0; i < length; i++) {
            terms[i] = random.nextInt(3) == 0 ? Double.NEGATIVE_INFINITY : terms[i];
        }
        return terms;
    }

    /** As usual, powers of two. */
    private double[] slopes() {
        return IntStream.range(0, shape.heads())
                .mapToDouble(h -> Math.pow(2, -h - 1))
                .toArray();
    }

    private int[] segments(int rows) {
        int[] ids = new int[shape.batch() * rows];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = i % rows == 0 ? 0 : ids[i - 1] + (random.nextInt(3) == 0 ? 1 : 0);
        }
        return ids;
    }

    private Pair.@Nullable Both ints(@Nullable List<Integer> values) {
        return values == null
                ? null
                : p.ints(values.stream().mapToInt(Integer::intValue).toArray());
    }

    /** Random inputs, tangents or gradients, with NaN in hidden places. */
    private AttentionPlane<Pair.Both> normal(double scale, HiddenPlaces places) {
        return new AttentionPlane<>(
                p.floats(type, places.query(gaussians(shape.querySize(), scale))),
                p.floats(type, places.key(gaussians(shape.keySize(), scale))),
                p.floats(type, places.value(gaussians(shape.valueSize(), scale))),
                features.bias() == AttentionFeatures.NONE
                        ? null
                        : p.floats(wide, places.bias(gaussians(features.biasSize(), scale))),
                features.sink() ? p.floats(wide, gaussians(shape.heads(), scale)) : null,
                p.floats(type, places.output(gaussians(shape.outputSize(), scale))),
                p.floats(wide, places.logSumExp(gaussians(shape.logSumExpSize(), scale))));
    }

    /** Arrays to be written. */
    private AttentionPlane<Pair.Both> outputs() {
        return new AttentionPlane<>(
                p.output(type, shape.querySize()),
                p.output(type, shape.keySize()),
                p.output(type, shape.valueSize()),
                features.bias() == AttentionFeatures.NONE ? null : p.output(wide, features.biasSize()),
                features.sink() ? p.output(wide, shape.heads()) : null,
                p.output(type, shape.outputSize()),
                p.output(wide, shape.logSumExpSize()));
    }

    private ScoreBias<Pair.Both> scoreBias(int axes, int reach, Pair.Both array) {
        int[] extents = features.extents(axes);
        return new ScoreBias<>(array, extents[0], extents[1], extents[2], extents[3], reach);
    }

    /** What is asked, on one of the backends. */
    public AttentionCall<DeviceArray> on(Backend b) {
        return call.map(x -> x.on(b));
    }

    private static AttentionPlane<DeviceArray> on(AttentionPlane<Pair.Both> plane, Backend b) {
        return plane.map(x -> x.on(b));
    }

    private AttentionOutputs<DeviceArray> outputs(Backend b) {
        return outputs.on(b, on(b));
    }

    private void check(AttentionPlane<Pair.Both> results, String role) {
        results.<Object>mapNamed((name, result) -> {
            check(result, role + name);
            return result;
        });
    }

    private void check(Pair.Both result, String role) {
        result.isWithinBounds(ROUNDINGS, unit(), role + " of " + features);
    }

    private double unit() {
        return type == DType.F64 ? 0x1p-53 : p.unit();
    }

    public void forward() {
        p.runWithBounds(type, b -> b.attention().forward(on(b), outputs(b)));
    }

    /** After a forward, as all checks. */
    public void checkForward() {
        check(output, "output");
        check(logSumExp, "logSumExp");
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
                "attentionStateSize of " + features + " is " + size + ", expected 0 or more, always the same");
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
        for (boolean all : new boolean[] {true, false}) {
            AttentionPlane<Pair.Both> given = normal(1, hidden);
            AttentionPlane<Pair.Both> gradients = gradients(outputs(), all);
            p.runWithBounds(
                    type,
                    b -> b.attention()
                            .backward(
                                    on(b),
                                    outputs(b),
                                    on(AttentionPlane.outputs(given.output(), all ? given.logSumExp() : null), b),
                                    on(gradients, b)));
            check(gradients, all ? "gradient of " : "gradient without dLogSumExp of ");
        }
    }

    public void checkTangent() {
        AttentionPlane<Pair.Both> tangents = normal(1, hidden);
        AttentionPlane<Pair.Both> written = outputs().ofOutputs();
        p.runWithBounds(
                type, b -> b.attention().tangent(on(b), outputs(b), on(tangents.ofInputs(), b), on(written, b)));
        check(written, "tangent of ");
    }

    /** The double backward. */
    public void checkBackwardTangent() {
        for (boolean all : new boolean[] {true, false}) {
            AttentionPlane<Pair.Both> given = normal(1, hidden);
            AttentionPlane<Pair.Both> random = normal(1, hidden);
            AttentionPlane<Pair.Both> tangents = all ? random : gradients(random, false);
            AttentionPlane<Pair.Both> written = outputs();
            p.runWithBounds(type, b -> backwardTangent(b, given, tangents, written, all));
            check(all ? written : gradients(written, false), all ? "tangent of " : "tangent, with little given, of ");
        }
    }

    /** The double backward and the series over one infinitesimal, on the backend under test, are the same. */
    public void checkAgainstSeries() {
        AttentionPlane<Pair.Both> value = normal(1, hidden);
        AttentionPlane<Pair.Both> tangents = normal(1, hidden);
        AttentionPlane<Pair.Both> byHand = outputs();
        AttentionPlane<Pair.Both> bySeries = outputs();
        p.runWithBounds(type, b -> backwardTangent(b, value, tangents, byHand, true));
        p.runWithBounds(
                type,
                b -> b.attention()
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
            boolean all) {
        b.attention()
                .backwardTangent(
                        on(b),
                        outputs(b),
                        on(AttentionPlane.outputs(value.output(), all ? value.logSumExp() : null), b),
                        on(tangents, b),
                        on(gradients(written, all).withOutputs(written.output(), written.logSumExp()), b));
    }

    /** Planes get smaller with their index, as coefficients of a convergent series do. */
    public void checkSeries(SeriesRing ring) {
        List<AttentionPlane<Pair.Both>> arguments = new ArrayList<>();
        List<AttentionPlane<Pair.Both>> results = new ArrayList<>();
        for (int plane = 0; plane < ring.planes(); plane++) {
            arguments.add(normal(plane == 0 ? 1 : Math.pow(0.5, plane - 1), hidden));
            results.add(outputs());
        }
        p.runWithBounds(
                type,
                b -> b.attention()
                        .series(
                                on(b),
                                ring,
                                arguments.stream().map(x -> on(x, b)).toList(),
                                results.stream().map(x -> on(x, b)).toList()));
        for (int plane = 0; plane < ring.planes(); plane++) {
            check(results.get(plane), "plane " + plane + " of " + ring + ", ");
        }
    }

    /** Scores after masking, [batch, heads, queries, keys], by the reference. */
    private double[] masked() {
        Backend b = p.reference;
        Pair.Both scores = p.output(wide, shape.logSumExpSize() * shape.keys());
        b.attention().weights(on(b), outputs(b), ScoreStage.MASKED, 0, scores.on(b));
        return scores.expected();
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
            p.runWithBounds(type, b -> b.attention().weights(on(b), outputs(b), stage, first, weights.on(b)));
            check(weights, stage + " weights");
        }
    }
}
