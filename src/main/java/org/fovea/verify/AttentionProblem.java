package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.OutputGradients;
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

    /** The seven parts of an {@link AttentionPlane}. */
    public record Parts(
            Pair.@Nullable Both query,
            Pair.@Nullable Both key,
            Pair.@Nullable Both value,
            Pair.@Nullable Both bias,
            Pair.@Nullable Both sink,
            Pair.@Nullable Both output,
            Pair.@Nullable Both logSumExp) {

        AttentionPlane on(Backend b) {
            return new AttentionPlane(
                    at(query, b), at(key, b), at(value, b), at(bias, b), at(sink, b), at(output, b), at(logSumExp, b));
        }

        /** Those that are there. */
        List<Pair.Both> all() {
            return Stream.of(query, key, value, bias, sink, output, logSumExp)
                    .filter(Objects::nonNull)
                    .toList();
        }

        AttentionArguments arguments(Backend b) {
            return new AttentionArguments(
                    Objects.requireNonNull(query).on(b),
                    Objects.requireNonNull(key).on(b),
                    Objects.requireNonNull(value).on(b),
                    at(bias, b),
                    at(sink, b));
        }
    }

    private final Pair p;
    private final AttentionShape shape;

    /** What is asked of it. */
    public final AttentionFeatures features;

    private final DType type;
    private final DType wide;
    private final Random random;
    private final HiddenPlaces hidden;

    /** Query, key, value, bias and sink. */
    public final Parts inputs;

    private final Pair.@Nullable Both mask;
    private final Pair.@Nullable Both slopes;
    private final Pair.@Nullable Both querySegments;
    private final Pair.@Nullable Both keySegments;
    private final Pair.@Nullable Both lengths;
    private final Pair.@Nullable Both querySequences;
    private final Pair.@Nullable Both keySequences;

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
        mask = features.mask() == AttentionFeatures.NONE ? null : p.floats(wide, hiding(size(features.mask())));
        slopes = features.alibi() ? p.floats(wide, slopes()) : null;
        querySegments = features.segments() ? p.ints(segments(shape.queries())) : null;
        keySegments = features.segments() ? p.ints(segments(shape.keys())) : null;
        lengths = ints(features.lengths());
        querySequences = ints(features.querySequences());
        keySequences = ints(features.keySequences());
        output = p.output(type, shape.outputSize());
        logSumExp = p.output(wide, shape.logSumExpSize());
        outputs = p.new Outputs(output, logSumExp);
        inputs = normal(1, HiddenPlaces.NOTHING);
        if (features.spec().similarity() == AttentionSpec.Similarity.COSINE) {
            addZeroRow(inputs.query);
            addZeroRow(inputs.key);
        }
        hidden = features.hides() ? new HiddenPlaces(features, masked()) : HiddenPlaces.NOTHING;
        if (features.hides()) {
            hide();
        }
    }

    /** Where the cosine is 0 by decree. */
    private void addZeroRow(Pair.@Nullable Both rows) {
        double[] x = Objects.requireNonNull(rows).expected();
        if (x.length > shape.headDim()) {
            Arrays.fill(x, shape.headDim(), 2 * shape.headDim(), 0);
            rows.upload(x);
        }
    }

    private void hide() {
        upload(inputs.query, hidden::query);
        upload(inputs.key, hidden::key);
        upload(inputs.value, hidden::value);
        upload(inputs.bias, hidden::bias);
        upload(mask, hidden::mask);
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
    private Parts normal(double scale, HiddenPlaces places) {
        return new Parts(
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
    private Parts outputs() {
        return new Parts(
                p.output(type, shape.querySize()),
                p.output(type, shape.keySize()),
                p.output(type, shape.valueSize()),
                features.bias() == AttentionFeatures.NONE ? null : p.output(wide, features.biasSize()),
                features.sink() ? p.output(wide, shape.heads()) : null,
                p.output(type, shape.outputSize()),
                p.output(wide, shape.logSumExpSize()));
    }

    private static @Nullable DeviceArray at(Pair.@Nullable Both array, Backend b) {
        return array == null ? null : array.on(b);
    }

    private @Nullable ScoreBias term(int axes, int reach, Pair.@Nullable Both array, Backend b) {
        if (array == null) {
            return null;
        }
        int[] extents = features.extents(axes);
        return new ScoreBias(array.on(b), extents[0], extents[1], extents[2], extents[3], reach);
    }

    /** The inputs on one of the backends. */
    public AttentionInputs on(Backend b) {
        AttentionArguments x = inputs.arguments(b);
        return new AttentionInputs(
                x.query(),
                x.key(),
                x.value(),
                term(features.bias(), features.reach(), inputs.bias, b),
                x.sink(),
                term(features.mask(), ScoreBias.BY_PAIR, mask, b),
                at(slopes, b),
                at(querySegments, b),
                at(keySegments, b),
                at(lengths, b),
                at(querySequences, b),
                at(keySequences, b));
    }

    private AttentionOutputs outputs(Backend b) {
        return outputs.on(b, shape, features.spec(), on(b));
    }

    private void check(Parts results, String role) {
        check(results.query, role + "query");
        check(results.key, role + "key");
        check(results.value, role + "value");
        check(results.bias, role + "bias");
        check(results.sink, role + "sink");
        check(results.output, role + "output");
        check(results.logSumExp, role + "logSumExp");
    }

    private void check(Pair.@Nullable Both result, String role) {
        if (result != null) {
            result.isWithinBounds(ROUNDINGS, unit(), role + " of " + features);
        }
    }

    private double unit() {
        return type == DType.F64 ? 0x1p-53 : p.unit();
    }

    public void forward() {
        p.runWithBounds(type, b -> b.attention().forward(shape, features.spec(), on(b), outputs(b)));
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
        return p.tested.attention().stateSize(shape, features.spec(), on(p.tested));
    }

    /** Keeps only the gradients of query, key and value, and of bias and sink if asked for. */
    private static Parts gradients(Parts all, boolean withTerms) {
        return new Parts(
                all.query, all.key, all.value, withTerms ? all.bias : null, withTerms ? all.sink : null, null, null);
    }

    public void checkBackward() {
        for (boolean all : new boolean[] {true, false}) {
            Parts given = normal(1, hidden);
            Parts gradients = gradients(outputs(), all);
            p.runWithBounds(
                    type,
                    b -> b.attention()
                            .backward(
                                    shape,
                                    features.spec(),
                                    on(b),
                                    outputs(b),
                                    Objects.requireNonNull(given.output).on(b),
                                    all ? at(given.logSumExp, b) : null,
                                    gradients.arguments(b)));
            check(gradients, all ? "gradient of " : "gradient without dLogSumExp of ");
        }
    }

    public void checkTangent() {
        Parts tangents = normal(1, hidden);
        Parts written = outputs();
        p.runWithBounds(
                type,
                b -> b.attention()
                        .tangent(
                                shape,
                                features.spec(),
                                on(b),
                                tangents.arguments(b),
                                outputs(b),
                                Objects.requireNonNull(written.output).on(b),
                                Objects.requireNonNull(written.logSumExp).on(b)));
        check(written.output, "tangent of output");
        check(written.logSumExp, "tangent of logSumExp");
    }

    /** The double backward. */
    public void checkBackwardTangent() {
        for (boolean all : new boolean[] {true, false}) {
            Parts given = normal(1, hidden);
            Parts random = normal(1, hidden);
            Parts tangents = all ? random : gradients(random, false);
            Parts written = outputs();
            p.runWithBounds(type, b -> backwardTangent(b, given, tangents, written, all));
            check(all ? written : gradients(written, false), all ? "tangent of " : "tangent, with little given, of ");
        }
    }

    /** The double backward and the series over one infinitesimal, on the backend under test, are the same. */
    public void checkAgainstSeries() {
        Parts value = normal(1, hidden);
        Parts tangents = normal(1, hidden);
        Parts byHand = outputs();
        Parts bySeries = outputs();
        p.runWithBounds(type, b -> backwardTangent(b, value, tangents, byHand, true));
        p.runWithBounds(
                type,
                b -> b.attention()
                        .series(
                                shape,
                                features.spec(),
                                on(b),
                                SeriesRing.infinitesimals(1),
                                List.of(value.on(b), tangents.on(b)),
                                List.of(AttentionPlane.NONE, bySeries.on(b))));
        List<Pair.Both> left = byHand.all();
        List<Pair.Both> right = bySeries.all();
        for (int part = 0; part < left.size(); part++) {
            left.get(part)
                    .isLike(right.get(part), ROUNDINGS, unit(), "series against hand-written order of " + features);
        }
    }

    private void backwardTangent(Backend b, Parts value, Parts tangents, Parts written, boolean all) {
        b.attention()
                .backwardTangent(
                        shape,
                        features.spec(),
                        on(b),
                        tangents.arguments(b),
                        outputs(b),
                        new OutputGradients(
                                Objects.requireNonNull(value.output).on(b),
                                all ? at(value.logSumExp, b) : null,
                                at(tangents.output, b),
                                at(tangents.logSumExp, b)),
                        Objects.requireNonNull(written.output).on(b),
                        Objects.requireNonNull(written.logSumExp).on(b),
                        gradients(written, all).arguments(b));
    }

    /** Planes get smaller with their index, as coefficients of a convergent series do. */
    public void checkSeries(SeriesRing ring) {
        List<Parts> arguments = new ArrayList<>();
        List<Parts> results = new ArrayList<>();
        for (int plane = 0; plane < ring.planes(); plane++) {
            arguments.add(normal(plane == 0 ? 1 : Math.pow(0.5, plane - 1), hidden));
            results.add(outputs());
        }
        p.runWithBounds(
                type,
                b -> b.attention()
                        .series(
                                shape,
                                features.spec(),
                                on(b),
                                ring,
                                arguments.stream().map(x -> x.on(b)).toList(),
                                results.stream().map(x -> x.on(b)).toList()));
        for (int plane = 0; plane < ring.planes(); plane++) {
            check(results.get(plane), "plane " + plane + " of " + ring + ", ");
        }
    }

    /** Scores after masking, [batch, heads, queries, keys], by the reference. */
    private double[] masked() {
        Backend b = p.reference;
        Pair.Both scores = p.output(wide, shape.logSumExpSize() * shape.keys());
        b.attention().weights(shape, features.spec(), on(b), outputs(b), ScoreStage.MASKED, 0, scores.on(b));
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
            p.runWithBounds(
                    type,
                    b -> b.attention().weights(shape, features.spec(), on(b), outputs(b), stage, first, weights.on(b)));
            check(weights, stage + " weights");
        }
    }
}
