// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;

/** Shows the newest observations. */
final class FrameStack extends ReshapedBatch {
    /** {@link Wrapper#frameStack}. */
    record Of(int frames) implements Wrapper {
        Of {
            if (frames < 1) {
                throw new IllegalArgumentException("a frame stack needs at least 1 frame, not " + frames);
            }
        }

        @Override
        public String text() {
            return "frame_stack=" + frames;
        }

        @Override
        public boolean keepsReturns() {
            return true;
        }

        @Override
        public Space observationSpace(Space inner) {
            if (inner instanceof Space.Image image) {
                return new Space.Image(Math.multiplyExact(frames, image.channels()), image.height(), image.width());
            }
            if (inner instanceof Space.Box box) {
                return new Space.Box(repeated(box.low()), repeated(box.high()));
            }
            return new Space.Tuple(Collections.nCopies(frames, inner));
        }

        private float[] repeated(float[] bounds) {
            float[] all = new float[Math.multiplyExact(frames, bounds.length)];
            for (int at = 0; at < all.length; at += bounds.length) {
                System.arraycopy(bounds, 0, all, at, bounds.length);
            }
            return all;
        }

        @Override
        public VectorEnvironment wrap(VectorEnvironment inner) {
            return new FrameStack(inner, this);
        }
    }

    /** [count, frames, inner size]. */
    private final float[] stacks;

    private FrameStack(VectorEnvironment inner, Of wrapper) {
        super(inner, wrapper.observationSpace(inner.observationSpace()));
        stacks = new float[inner.count() * size];
    }

    @Override
    void begin(int i, float[] seen, float[] shown) {
        for (int at = i * size; at < (i + 1) * size; at += innerSize) {
            System.arraycopy(seen, i * innerSize, stacks, at, innerSize);
        }
        System.arraycopy(stacks, i * size, shown, i * size, size);
    }

    @Override
    void goOn(int i, float[] seen, float[] shown) {
        int newest = (i + 1) * size - innerSize;
        System.arraycopy(stacks, i * size + innerSize, stacks, i * size, size - innerSize);
        System.arraycopy(seen, i * innerSize, stacks, newest, innerSize);
        System.arraycopy(stacks, i * size, shown, i * size, size);
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        for (float value : Arrays.copyOfRange(stacks, i * size, (i + 1) * size)) {
            out.writeFloat(value);
        }
        super.saveState(i, out);
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        for (int j = i * size; j < (i + 1) * size; j++) {
            stacks[j] = in.readFloat();
        }
        super.restoreState(i, in);
    }
}
