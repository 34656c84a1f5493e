// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

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
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** The operands of an attention on both backends, random but for what the features ask for, and the arrays it writes. */
final class AttentionOperands {
    private final Pair p;
    private final AttentionShape shape;

    final AttentionFeatures features;

    final DType type;
    final DType wide;
    private final Random random;
    final HiddenPlaces hidden;

    private final boolean inEighths;

    /** Query, key, value, bias and sink. */
    final AttentionPlane<Pair.Both> inputs;

    final AttentionCall<Pair.Both> call;

    /** The forward's first result. */
    final Pair.Both output;

    /** The forward's second result. */
    final Pair.Both logSumExp;

    private final ForwardOutputs outputs;

    /**
     * @param seed of the random numbers
     * @param inEighths whether these are multiples of 1/8, which every type holds exactly
     */
    AttentionOperands(Pair p, AttentionFeatures features, long seed, boolean inEighths) {
        this.inEighths = inEighths;
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
        outputs = new ForwardOutputs(p, output, logSumExp);
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

    /** A row of zeros, whose cosine is defined as 0. */
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
        Arrays.setAll(x, i -> {
            double number = scale * random.nextGaussian();
            return inEighths ? Math.rint(8 * number) / 8 : number;
        });
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
    AttentionPlane<Pair.Both> normal(double scale, HiddenPlaces places) {
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
    AttentionPlane<Pair.Both> outputs() {
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

    /** Scores after masking, [batch, heads, queries, keys], by the reference. */
    private double[] masked() {
        Backend b = p.reference;
        Pair.Both scores = p.output(wide, shape.logSumExpSize() * shape.keys());
        b.attention().weights(on(b), outputs(b), ScoreStage.MASKED, 0, scores.on(b));
        return scores.expected();
    }

    /** The call on one of the backends. */
    AttentionCall<DeviceArray> on(Backend b) {
        return call.map(x -> x.on(b));
    }

    AttentionOutputs<DeviceArray> outputs(Backend b) {
        return outputs.on(b, on(b));
    }
}
