package org.fovea.nn;

import org.fovea.tensor.Tensor;

/**
 * Rotary position encoding (Su et al. 2021, arXiv:2104.09864): queries and keys are turned by angles proportional to
 * their positions, so that their similarity depends on the distance between them alone.
 *
 * @param base of the wavelengths
 */
public record RotaryEncoding(float base) {

    /** The base of the literature, 10,000. */
    public static final RotaryEncoding STANDARD = new RotaryEncoding(10_000);

    /** Turns each head of {@code x} [..., heads headDim] by the I32 position of its row. */
    public Tensor apply(Tensor x, Tensor positions, int heads) {
        return x.rotary(positions, heads, base);
    }
}
