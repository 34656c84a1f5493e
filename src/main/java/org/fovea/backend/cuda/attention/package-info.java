/**
 * Attention on the tensor cores: which instance of the kernels takes a call, and its launches. What they do not take goes to {@code
 * series}.
 */
@NullMarked
package org.fovea.backend.cuda.attention;

import org.jspecify.annotations.NullMarked;

