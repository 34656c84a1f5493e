/**
 * The CPU backend: float32 on Java arrays, kernels on the Vector API where its module is there and scalar where not.
 *
 * <p>Two rules make results independent of the number of threads: work is cut by its size alone, and every sum has one
 * order, fixed by the cut.
 */
@NullMarked
package org.fovea.backend.cpu;

import org.jspecify.annotations.NullMarked;
