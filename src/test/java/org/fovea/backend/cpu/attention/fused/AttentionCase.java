package org.fovea.backend.cpu.attention.fused;

import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.Block;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Lifetime;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/** Random inputs of one attention, the keys its rule leaves visible, and runs of {@link FusedPasses} on them. */
final class AttentionCase {
    final AttentionShape shape;
    final AttentionSpec spec;
    final float[] query;
    final float[] key;
    final float[] value;
    final float[] dOutput;
    final float[] dLogSumExp;
    int @Nullable [] querySegments;
    int @Nullable [] keySegments;
    int @Nullable [] keyLengths;

    AttentionCase(AttentionShape shape, AttentionSpec spec, long seed, float size) {
        this.shape = shape;
        this.spec = spec;
        Random random = new Random(seed);
        query = gaussians(random, shape.querySize(), size);
        key = gaussians(random, shape.keySize(), 1);
        value = gaussians(random, shape.valueSize(), 1);
        dOutput = gaussians(random, shape.outputSize(), 1);
        dLogSumExp = gaussians(random, shape.logSumExpSize(), 1);
    }

    private static float[] gaussians(Random random, long length, float size) {
        float[] x = new float[(int) length];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian() * size;
        }
        return x;
    }

    /** Cuts queries and keys into runs of random lengths with rising numbers, as episodes do. */
    void addSegments(long seed) {
        Random random = new Random(seed);
        querySegments = runs(random, shape.queries());
        keySegments = runs(random, shape.keys());
    }

    private int[] runs(Random random, int length) {
        int[] segments = new int[shape.batch() * length];
        for (int b = 0; b < shape.batch(); b++) {
            int segment = 0;
            for (int i = 0; i < length; i++) {
                segments[b * length + i] = segment;
                segment += random.nextInt(10) == 0 ? 1 : 0;
            }
        }
        return segments;
    }

    /** Gives each batch row a length, from less than none to more than all. */
    void addKeyLengths(long seed) {
        Random random = new Random(seed);
        int[] lengths = new int[shape.batch()];
        for (int b = 0; b < lengths.length; b++) {
            lengths[b] = random.nextInt(shape.keys() + 4) - 2;
        }
        keyLengths = lengths;
    }

    /** The definition in {@link AttentionSpec}. */
    boolean sees(int batch, int i, int j) {
        int valid = shape.keys();
        if (keyLengths != null) {
            valid = Math.max(0, Math.min(valid, keyLengths[batch]));
        }
        int position = spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT ? valid - shape.queries() + i : i;
        boolean inWindow = (spec.windowLeft() == AttentionSpec.UNLIMITED || j >= position - spec.windowLeft())
                && (spec.windowRight() == AttentionSpec.UNLIMITED || j <= position + spec.windowRight());
        boolean sameSegment = querySegments == null
                || keySegments == null
                || querySegments[batch * shape.queries() + i] == keySegments[batch * shape.keys() + j];
        return j < valid && inWindow && sameSegment;
    }

    boolean seenByAny(int batch, int j) {
        for (int i = 0; i < shape.queries(); i++) {
            if (sees(batch, i, j)) {
                return true;
            }
        }
        return false;
    }

    /** Index of a row of [batch, heads, rows] or [batch, rows, heads]. */
    int row(int batch, int head, int rows, int row) {
        return shape.layout() == AttentionShape.Layout.BHND
                ? (batch * shape.heads() + head) * rows + row
                : (batch * rows + row) * shape.heads() + head;
    }

    NaiveAttention naive() {
        return new NaiveAttention(shape, spec, this::sees, query, key, value, dOutput, dLogSumExp);
    }

    /** What the code under test made of a case. */
    static final class Result {
        float[] output = {};
        float[] logSumExp = {};
        float[] dQuery = {};
        float[] dKey = {};
        float[] dValue = {};
    }

    Result run(AttentionKernels kernels, int threads) {
        try (Workers workers = new Workers(threads);
                Backend memory = Backends.open("cpu", 1).backend()) {
            FusedPasses attention = new FusedPasses(kernels, workers, memory.memory()::openScope);
            AttentionCall<CpuArray> call = AttentionCall.of(shape, spec, array(query), array(key), array(value))
                    .withMask(new AttentionMask<>(
                            null, null, array(querySegments), array(keySegments), array(keyLengths), null, null));
            CpuArray output = garbage(shape.outputSize());
            CpuArray logSumExp = garbage(shape.logSumExpSize());
            CpuArray saved = garbage(FusedPasses.savedSize(shape));
            attention.forward(call, output, logSumExp, saved);
            CpuArray dQuery = garbage(shape.querySize());
            CpuArray dKey = garbage(shape.keySize());
            CpuArray dValue = garbage(shape.valueSize());
            attention.backward(
                    call,
                    output,
                    saved,
                    AttentionPlane.outputs(array(dOutput), array(dLogSumExp)),
                    AttentionPlane.inputs(dQuery, dKey, dValue));
            Result result = new Result();
            result.output = floats(output);
            result.logSumExp = floats(logSumExp);
            result.dQuery = floats(dQuery);
            result.dKey = floats(dKey);
            result.dValue = floats(dValue);
            return result;
        }
    }

    static CpuArray array(float[] from) {
        CpuArray array = garbage(from.length);
        System.arraycopy(from, 0, array.floats, array.offset, from.length);
        return array;
    }

    static @Nullable CpuArray array(int @Nullable [] from) {
        if (from == null) {
            return null;
        }
        Block block = new Block(DType.I32, (int) Block.align(from.length));
        System.arraycopy(from, 0, block.ints, Block.BASE, from.length);
        return new CpuArray(block, Block.BASE, from.length, new Lifetime(null));
    }

    /** An array full of NaN, with more of it on both sides. */
    static CpuArray garbage(long length) {
        Block block = new Block(DType.F32, (int) Block.align(length + 16));
        java.util.Arrays.fill(block.floats, Float.NaN);
        return new CpuArray(block, Block.BASE + 5, (int) length, new Lifetime(null));
    }

    static float[] floats(CpuArray array) {
        for (int i = 0; i < array.floats.length; i++) {
            boolean inside = i >= array.offset && i < array.offset + array.length;
            if (!inside && !Float.isNaN(array.floats[i])) {
                throw new AssertionError("element " + (i - array.offset) + " of an array of " + array.length
                        + " was written: " + array.floats[i]);
            }
        }
        return java.util.Arrays.copyOfRange(array.floats, array.offset, array.offset + array.length);
    }
}
